import pandas as pd
import pytest

from replication.core import paths
from replication.core.family import findings_of, parts_of, room
from replication.core.settings import load
from replication.cost.statistics import claims


def measured(*ratios, batches=(512, 512, 32, 32), widths=(100, 260, 100, 260)):
    rows = [
        {"guidance": form, "width": width, "batch": batch, "ratio": {"reciprocal": ratio, "none": 1.0}.get(form, 9.0)}
        | {"n": 200, "cpu_seconds": 0.01 * (ratio + 0.009 if form == "reciprocal" else 1)}
        | {"ratio_quartile_low": ratio - 0.05, "ratio_quartile_high": ratio + 0.05}
        for width, batch, ratio in zip(widths, batches, ratios, strict=False)
        for form in ("none", "reciprocal", "exact")
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


def test_the_number_is_the_dearer_widths_without_an_interval():
    effect = claims.c13(measured(1.02, 1.08, 1.05, 1.3)).effect
    assert effect.ours.value == pytest.approx(8) and effect.after_control.value == pytest.approx(30)
    assert effect.ours.low is effect.ours.high is None and effect.near == ""
    assert effect.ours.text.endswith("half of the paired steps lie between 1.03 and 1.13")


def test_a_ratio_near_its_limit_says_so():
    """By the ratio of the two medians the step would be too dear."""
    near = claims.c13(measured(1.02, 1.095, 1.05, 1.09)).effect.near
    assert near.startswith("1.095 times by the median of the paired ratios, which decides; 1.104 by")
