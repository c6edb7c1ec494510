"""The section with and without runs."""

from pathlib import Path

from replication.core.family import findings_of, parts_of, room
from replication.core.paths import PARAMS
from replication.core.runs import make_record, write_table
from replication.core.settings import load
from replication.norms import grid
from replication.norms.statistics.findings import METRICS

ROOT = PARAMS.absolute().parent


def shown(parameters):
    parts = parts_of(parameters, "norms")
    findings = {part.name: findings_of(part) for part in parts}
    (section,) = room("norms").sections(parts, findings, Path("reports"), "")
    return section, room("norms").hypotheses(findings)


def test_the_section(tmp_path, monkeypatch):
    parameters = load("paper", path=ROOT / "params.yaml")
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    (tmp_path / "data" / "published").symlink_to(ROOT / "data" / "published")
    section, (h8,) = shown(parameters)
    assert not section.figures and [table.path.stem for table in section.tables] == ["norms-cifar10-differences"]
    assert (h8.name, h8.family, h8.verdict) == ("H8", "norms-cifar10", "undecided")
    assert "0 of the 70 runs" in section.about and "turns the filter towards its corner" in section.about

    (part,) = parts_of(parameters, "norms")
    history = {name: [0.1] * 7 + [0.2] for name in METRICS.values()}
    made = {"device": "a processor", "torch": "2"}
    records = [
        make_record(run, dict.fromkeys(METRICS.values(), 0.2), history, 1.0, made)
        for run in grid.grid(part.settings)[:14]
    ]
    write_table(part.table, records)
    section, (h8,) = shown(parameters)
    assert [figure.path.stem for figure in section.figures] == ["arms-norms-cifar10"]
    assert [table.path.stem for table in section.tables] == ["norms-cifar10-arms", "norms-cifar10-differences"]
    assert "guided less scale at lambda 0.001: +0.0000" in h8.evidence
