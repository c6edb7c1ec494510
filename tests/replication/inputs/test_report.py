"""The section on what the penalty touches, from made-up runs of the demo."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from replication.core import paths, strict_json
from replication.core.family import room
from replication.core.files import write_text
from replication.core.runs import make_record, write_table
from replication.core.settings import load
from replication.inputs import record

ROOT = Path(__file__).parents[3]
FAMILY = "inputs-mnist"


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Those of the demo, in a folder that holds the published rules alone."""
    parameters = load("demo", ROOT / "params.yaml")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/published").symlink_to(ROOT / "data/published")
    monkeypatch.chdir(tmp_path)
    names = [name for name, lives_in in parameters.families.items() if lives_in == "inputs"]
    return lambda: room("inputs").parts(parameters, names)


def shown(parts, folder):
    findings = {part.name: part.statistics() for part in parts}
    return room("inputs").sections(parts, findings, folder, "stand-in"), room("inputs").hypotheses(findings)


def made(run):
    """Each arm falls at its own speed."""
    speed = (
        1 + 0.1 * (run["lambda"] > 0) + 0.05 * (run["form"] == "scale") + 0.2 * (run.settings.get("rate_factor", 1) - 1)
    )
    mse = [0.1 / (1 + speed * epoch) * (1 + 0.01 * run["replicate"]) for epoch in range(1, run["max_epochs"] + 1)]
    return make_record(run, {"stopping_epoch": len(mse)}, {"validation_mse": mse}, 2, {"device": "d", "torch": "t"})


def test_nothing_is_drawn_of_nothing(parts, tmp_path):
    [section], [h9, h10] = shown(parts(), tmp_path)
    assert section.figures == section.tables == [] and "0 of the 10 runs" in section.about
    assert (h9.verdict, h10.verdict) == ("undecided", "undecided")


def test_a_lambda_that_no_arm_has_leaves_what_is_unguided(parts, tmp_path):
    mnist, cifar10 = parts()
    mnist = replace(mnist, settings=msgspec.structs.replace(mnist.settings, lambda_override=(0.0, 0.5)))
    write_table(paths.table("demo", FAMILY), [made(run) for run in mnist.grid])
    [section], _ = shown([mnist, cifar10], tmp_path / "report")
    assert [figure.path.stem for figure in section.figures] == [f"trade-{FAMILY}"]
    assert {run["lambda"] for run in mnist.grid} == {0.0}


def test_the_section_from_runs_and_the_record_of_the_images(parts, tmp_path):
    mnist, cifar10 = parts()
    write_table(paths.table("demo", FAMILY), [made(run) for run in mnist.grid])
    sources = [
        {"width": 20, "lambda": 0.01, "replicate": 0, "group": group, "inputs": 1, "alone": 1.0, "in_turn": nats}
        for group, nats in (("always zero", 3.0), ("alive", 1.0))
    ]
    pixels = list(range(28 * 28))
    seen = {"images": 9, "shape": [1, 28, 28], "mean": pixels, "variance": pixels, "lit": pixels, "sources": sources}
    write_text(paths.record("demo", record.NAME), strict_json.dumps({FAMILY: seen}))
    [section], _ = shown(parts(), tmp_path / "report")
    assert [figure.path.stem for figure in section.figures] == [
        f"{kind}-{FAMILY}" for kind in ("touched", "differences", "trade")
    ]
    assert all(figure.path.exists() and figure.path.with_suffix(".svg").exists() for figure in section.figures)
    assert "means over n = 2 seeds" in section.figures[0].caption
    tables = {table.path.stem.removeprefix(f"{FAMILY}-"): table.frame for table in section.tables}
    assert tables["sources"]["share"].tolist() == [0.75, 0.25]
    assert set(tables["cells"]["arm"]) == {"leading", "most-variable", "norm", "rate-2"}
    assert set(tables["means"]["n"]) == {2} and "against-most-variable" not in tables
    assert "**Not tested (stand-in)** on `inputs-mnist`" in section.about and "10 of the 10 runs" in section.about
    assert cifar10.settings is None
