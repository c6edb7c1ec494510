import pandas as pd
import pytest

from replication.core import paths
from replication.cost.report import sections as section_module
from replication.cost.statistics import claims as step_cost


def measured(*ratios, batches=(512, 512, 32, 32), widths=(100, 260, 100, 260)):
    rows = [
        {"guidance": form, "width": width, "batch": batch, "ratio": ratio if form == "reciprocal" else 9.0, "n": 200}
        for width, batch, ratio in zip(widths, batches, ratios, strict=False)
        for form in ("reciprocal", "exact")
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("ratios", "verdict", "control"),
    [
        ((1.02, 1.1, 1.05, 1.09), "reproduced", "survives"),
        ((1.02, 1.1, 1.05, 1.3), "reproduced", "does not survive"),
        ((1.02, 1.2, 1.05, 1.3), "partly", "does not survive"),
        ((1.0, 1.5, 1.1, 1.1), "partly", "survives"),
        ((1.6, 1.2, 1.0, 1.0), "not reproduced", "survives"),
        ((1.0, 1.0), "reproduced", "not tested"),
        ((1.0,), "not tested", "not tested"),
        ((), "not tested", "not tested"),
    ],
)
def test_c13(ratios, verdict, control):
    found = step_cost.c13(measured(*ratios))
    assert (found.verdict, found.control) == (verdict, control)


def test_the_section_reads_the_committed_measurement(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BENCHMARKS", tmp_path)
    empty = section_module.section(tmp_path)
    assert empty.tables == [] and empty.verdicts["C13"].verdict == "not tested"
    table = measured(1.0, 1.05, 1.2, 1.2).assign(hardware="a core", versions="python")
    table.to_csv(tmp_path / "guidance.csv", index=False)
    full = section_module.section(tmp_path)
    assert full.verdicts["C13"].control == "does not survive"
    assert "a core" in full.tables[0].note and "hardware" not in full.tables[0].frame
