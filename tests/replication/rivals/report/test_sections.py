"""The section on the rivals, and the board's rows, from made-up runs."""

import pytest
from rivals_runs import CIFAR10, MNIST, ROOT, made

from replication.core import board, paths, published
from replication.core.board import Exhibit
from replication.core.family import room
from replication.core.findings import read
from replication.core.records import sealed
from replication.core.runs import write_table
from replication.core.settings import load
from replication.report.section import hypotheses as section_hypotheses


@pytest.fixture
def exhibit(tmp_path, monkeypatch):
    """Of a scale, from the tables that lie in a folder of the test's own; findings as their file has them."""
    parameters = {scale: load(scale, ROOT / "params.yaml") for scale in ("demo", "paper")}
    (tmp_path / "data").mkdir()
    for name in ("published", "benchmarks"):
        (tmp_path / "data" / name).symlink_to(ROOT / "data" / name)
    monkeypatch.chdir(tmp_path)

    def of(scale="paper"):
        parts = room("rivals").parts(parameters[scale], [CIFAR10, MNIST])
        found = {}
        for part in parts:
            part.statistics().write(tmp_path / f"{part.name}.json", "digest")
            found[part.name] = read(tmp_path / f"{part.name}.json")[0]
        return Exhibit(room("rivals"), parts, found)

    return of


def sections(exhibit, folder, note=""):
    return exhibit.room.sections(exhibit.parts, exhibit.findings, folder, note)


def family(scale, name):
    (part,) = room("rivals").parts(load(scale, ROOT / "params.yaml"), [name])
    return part


def test_nothing_is_drawn_of_nothing(exhibit, tmp_path):
    shown = exhibit()
    [section] = sections(shown, tmp_path / "report")
    names = ["rivals-statements", "rivals-steps", "rivals-cost"]
    assert section.figures == [] and [table.path.stem for table in section.tables] == names
    assert "0 of the 230 runs" in section.about
    found = shown.hypotheses()
    assert {one.verdict for one in found} == {"undecided"} and {one.n for one in found} == {0}
    asked = {entry["id"] for entry in published.read("hypotheses") if "control_question" in entry}
    assert all(bool(one.control) == (one.name in asked) for one in found)
    names = {one.name for one in found if one.family == CIFAR10}
    assert names == {"R1", "R1b", "R1c", "R2", "R2c", "R2d", "R3", "R3c", "R3d", "R4", "R5", "R6", "R7", "R8"}
    assert {one.name for one in found if one.family == MNIST} == {"R1", "R1b", "R3", "R3c", "R3d", "R5", "R6"}


@pytest.mark.parametrize("replicates", [1, 10])
def test_the_section_from_one_replicate_and_from_all(exhibit, tmp_path, replicates):
    write_table(
        paths.table("paper", CIFAR10),
        map(sealed, made(family("paper", CIFAR10).settings, replicates=range(replicates))),
    )
    shown = exhibit()
    [section] = sections(shown, tmp_path / "report")
    kinds = ("forest", "along", "reliability", "plane", "widths", "maps", "feedback")
    assert [figure.path.stem for figure in section.figures] == [f"{kind}-{CIFAR10}" for kind in kinds]
    assert all(figure.path.exists() for figure in section.figures)
    tables = {table.path.stem.removeprefix(f"{CIFAR10}-"): table.frame for table in section.tables}
    assert set(tables["against-unguided"]["n"]) == {replicates}
    assert len(tables["arms"]) == 25 and len(tables["widths"]) == 13
    assert len(tables.get("methods", ())) == (8 if replicates == 10 else 0)


def test_a_row_of_the_board(exhibit):
    write_table(paths.table("paper", CIFAR10), map(sealed, made(family("paper", CIFAR10).settings)))
    shown = exhibit()
    cifar10, mnist = (row for row in board._hypotheses([shown]) if row["id"] == "R3")
    assert (cifar10["verdict"], cifar10["n"], cifar10["control"]) == ("refuted", 10, "does not survive")
    assert (mnist["family"], mnist["verdict"], mnist["n"]) == (MNIST, "undecided", 0)
    assert cifar10["hypothesis"] == "Feedback of transfer entropy needs fewer epochs."
    about = "".join(section_hypotheses(shown.hypotheses(), ""))
    assert "Control: **does not survive**" in about and "Source: " in about


def test_bins_of_several_runs_are_weighted_by_their_images(exhibit):
    part = family("paper", CIFAR10)
    records = made(part.settings, replicates=range(2))
    unguided = [r for r in records if r["run"]["form"] == "none" and (r["run"]["blocks"], r["run"]["width"]) == (1, 32)]
    for record, images, accuracy in zip(unguided, (10, 30), (0.2, 0.6), strict=True):
        bins = {"lower": [0.2], "images": [images], "confidence": [0.25], "accuracy": [accuracy]}
        record["measured"] = record["measured"] | {"reliability": bins}
    write_table(paths.table("paper", CIFAR10), map(sealed, records))
    table = exhibit().findings[CIFAR10].table("reliability")
    row = table[table["arm"] == "unguided"]
    assert row[["images", "accuracy", "n"]].values.tolist() == [[40, pytest.approx(0.5), 2]]


def test_stand_ins_decide_nothing(exhibit, tmp_path):
    write_table(paths.table("demo", CIFAR10), map(sealed, made(family("demo", CIFAR10).settings)))
    shown = exhibit("demo")
    [section] = sections(shown, tmp_path / "report", "stand-in")
    assert "Control: **" not in section.about and "**Not tested (stand-in)**" in section.about
    found = shown.hypotheses()
    assert {one.control for one in found} <= {"", "not tested"}
    assert {one.verdict for one in found} == {"not tested (stand-in data, not comparable)"}
