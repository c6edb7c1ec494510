import pandas as pd
import pytest

from replication.core import paths
from replication.core.family import findings_of, parts_of, room
from replication.core.settings import load
from replication.cost.statistics import claims


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
    found = claims.c13(measured(*ratios))
    assert (found.verdict, found.control) == (verdict, control)


def shown(parameters, folder):
    """The verdict, and the section."""
    parts = parts_of(parameters, "cost")
    findings = {part.name: findings_of(part) for part in parts}
    (section,) = room("cost").sections(parts, findings, folder, "")
    return room("cost").verdicts(findings)["C13"], section


def test_the_section_reads_the_committed_measurement(tmp_path, monkeypatch):
    parameters = load("paper")
    monkeypatch.chdir(tmp_path)
    verdict, empty = shown(parameters, tmp_path)
    assert empty.tables == [] and verdict.verdict == "not tested"
    table = measured(1.0, 1.05, 1.2, 1.2).assign(hardware="a core", versions="python")
    paths.BENCHMARKS.mkdir(parents=True)
    table.to_csv(paths.BENCHMARKS / "guidance.csv", index=False)
    verdict, full = shown(parameters, tmp_path)
    assert verdict.control == "does not survive"
    assert "a core" in full.tables[0].note and "hardware" not in full.tables[0].frame
