"""Grids of all families, and a family from a room of the user's own."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.__main__ import main
from replication.core import family as family_module
from replication.core import paths
from replication.core.errors import UserError
from replication.core.family import find, room_names
from replication.core.runs import read_table
from replication.core.settings import load, sections_of
from replication.core.store import Store

ROOT = Path(__file__).parents[3]
PARAMS = ROOT / "params.yaml"
DEMO = load("demo", PARAMS)
GUIDED = {name for name, part in DEMO.sections.items() if "epsilon" in part}
VARIANTS = ("variants", "cnn_variants")
WITH_EPSILON = [
    name
    for name, room in DEMO.families.items()
    if GUIDED.intersection(sections_of(room)) and DEMO.of_scale[name] is not None
]


def plain(**changed):
    """The demo scale without variants, with changes in how each network is guided."""
    sections = {name: part | changed if name in GUIDED else part for name, part in DEMO.sections.items()}
    of_scale = {
        name: part | {"variants": None} if isinstance(part, dict) and "variants" in part else part
        for name, part in DEMO.of_scale.items()
    }
    return dataclasses.replace(DEMO, sections=sections | {name: {} for name in VARIANTS}, of_scale=of_scale)


def keys(parameters, family):
    return {run.key for run in find(parameters, family).grid}


@pytest.mark.parametrize("family", WITH_EPSILON)
def test_a_form_without_epsilon_has_the_same_runs_whatever_epsilon_is(family):
    unguided = {run.key for run in find(plain(), family).grid if run["lambda"] == 0}
    for form in ("log", "reciprocal"):
        ours, others = keys(plain(form=form), family), keys(plain(form=form, epsilon=0.25), family)
        assert others >= unguided and len(others) == len(ours) > len(unguided)
        assert (ours == others) if form == "log" else (ours & others == unguided)


@pytest.mark.parametrize("family", DEMO.families)
def test_no_run_is_in_a_grid_twice(family):
    found = find(DEMO, family)
    there = [run.key for run in found.grid]
    assert len(set(there)) == len(there) <= found.planned
    own = DEMO.of_scale[family]
    if own is not None and "rows" in own:  # a row named twice is one row
        twice = dataclasses.replace(DEMO, of_scale=DEMO.of_scale | {family: own | {"rows": own["rows"] * 2}})
        doubled = find(twice, family)
        assert {run.key for run in doubled.grid} == set(there) and len(doubled.grid) == len(there)
        assert doubled.planned == found.planned


def test_a_family_that_is_not_there():
    with pytest.raises(
        UserError, match=r"no family 'cnn': params.yaml has autoencoder-mnist, .*unet-coco-sample, .*norms-cifar10$"
    ):
        find(DEMO, "cnn")


def test_the_rooms_of_a_report():
    assert room_names(DEMO) == [
        *("autoencoder", "inputs", "small_cnn", "imagenette", "narrow_classifiers", "coco_unet", "rivals", "norms"),
        *("theory", "profiles", "cost", "published_tables", "corner_zeros"),
    ]


TOY = {
    "__init__": '''
        """A toy: runs that train in no time."""

        SECTIONS = ("toy",)
    ''',
    "room": '''
        """What the toy offers."""

        import msgspec

        from replication.core import late
        from replication.core.family import Family, Room
        from replication.core.run import Run
        from replication.core.schema import Lambdas, Positive, Struct, Whole


        class Training(Struct, frozen=True, kw_only=True):
            slope: Positive


        class Grid(Struct, frozen=True, kw_only=True):
            dataset: str
            lambdas: Lambdas
            replicates: Whole


        class ToySettings(msgspec.Struct, frozen=True, kw_only=True):
            family: str
            training: Training
            grid: Grid


        def grid(settings):
            return [
                Run(settings.family, {
                    "dataset": settings.grid.dataset,
                    "slope": settings.training.slope,
                    "lambda": lambda_,
                    "replicate": replicate,
                })
                for lambda_ in settings.grid.lambdas
                for replicate in range(settings.grid.replicates)
            ]


        def family(parameters, name):
            settings = ToySettings(
                family=name,
                training=parameters.read(Training, "toy"),
                grid=parameters.grid(Grid, name),
            )
            return Family(
                name=name,
                room="toy_room",
                scale=parameters.scale,
                dataset=parameters.dataset(name),
                settings=settings,
                grid_of=grid,
                trainer="toy_room.training",
                statistics_of=late.function("toy_room.statistics:statistics"),
            )


        ROOM = Room(
            title="Toy",
            order=99,
            parts=lambda parameters, names: [family(parameters, name) for name in names],
            verdicts=late.function("toy_room.statistics:verdicts"),
            hypotheses=lambda findings: [],
            sections=late.function("toy_room.report:sections"),
        )
    ''',
    "training": '''
        """A trainer: a line for a training."""

        from replication.core.provenance import environment
        from replication.core.runs import make_record
        from replication.training.trainer import Epoch


        def stack_key(run):
            return run["lambda"]


        def stack_size(run, data, device):
            return 2


        def one_thread(run):
            return False


        def cost(run):
            return 1.0


        def train(runs, data, device):
            about = environment(device, len(runs))
            loss = {run: [run["slope"] / (epoch + run["lambda"]) for epoch in (1, 2)] for run in runs}
            finished = [make_record(r, {"loss": loss[r][-1]}, {"loss": loss[r]}, 0.5, about) for r in runs]
            yield Epoch(1, len(runs), "loss 1", [])
            yield Epoch(2, 0, "loss 2", finished)
    ''',
    "statistics": '''
        """A mean for a lambda."""

        import pandas as pd

        from replication.core.findings import Findings
        from replication.core.verdict import Verdict


        def statistics(family, settings):
            rows = [record["run"] | record["metrics"] for record in family.records]
            runs = pd.DataFrame(rows, columns=["lambda", "loss"])
            means = runs.groupby("lambda", as_index=False)["loss"].mean()
            return Findings({"means": means}, {"runs": len(rows)}, family.metrics)


        def verdicts(findings):
            runs = sum(found.facts["runs"] for found in findings.values())
            return {"C13": Verdict("reproduced", f"{runs} runs", "survives", "")}
    ''',
    "report": '''
        """A table."""

        from replication.report.section import Section, runs_about, write_table


        def sections(families, findings, folder, note):
            return [
                Section(
                    title=f"Toys of `{family.name}`",
                    about=runs_about(family),
                    note=note,
                    tables=[write_table(folder, family.name, "Means", findings[family.name].table("means"), "")],
                )
                for family in families
            ]
    ''',
}
GRID = {"dataset": "digits", "lambdas": [0.0, 1.0], "replicates": 2}
FAMILY = "toy-digits"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A project's folder, with the room in a package beside it: toy(document's change) writes params.yaml."""
    package = tmp_path / "elsewhere" / "toy_room"
    package.mkdir(parents=True)
    for name, text in TOY.items():
        (package / f"{name}.py").write_text("\n".join(line[8:] for line in text.splitlines()[1:]) + "\n")
    monkeypatch.syspath_prepend(package.parent)
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "data/published").symlink_to(ROOT / "data/published")
    monkeypatch.chdir(project)
    yaml = YAML()
    document = yaml.load(PARAMS)
    document["families"][FAMILY] = "toy_room"
    document["toy"] = {"slope": 2.0}
    for scale in document["scales"].values():
        scale[FAMILY] = GRID
    yaml.dump(document, paths.PARAMS)
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_room"]:
        del sys.modules[name]


@pytest.fixture
def toy_alone(toy, monkeypatch):
    """The same, with a params.yaml that has no other family; and no other room."""
    yaml = YAML()
    document = yaml.load(paths.PARAMS)
    scales = {
        name: {part: scale[part] for part in (FAMILY, "theory", "profiles")}
        for name, scale in document["scales"].items()
    }
    shared = {"scale": "demo", "lambda": None, "families": {FAMILY: "toy_room"}, "toy": document["toy"]}
    yaml.dump(shared | {"scales": scales}, paths.PARAMS)
    monkeypatch.setattr(family_module, "WITHOUT_FAMILIES", ())
    return toy


def test_a_room_of_ones_own_is_trained_and_computed(toy, capsys):  # noqa: ARG001
    assert main(["sweep", "--scale", "paper", "--family", FAMILY, "--only", "lambda=1", "--device", "cpu"]) == 0
    assert (
        capsys.readouterr().out == f"{FAMILY} at scale paper: 4 runs: 0 known already, 2 trained now, 2 still missing\n"
    )
    assert main(["runs", "list", "--scale", "paper", "--family", FAMILY]) == 0
    first, *_, last, summary = capsys.readouterr().out.splitlines()
    run = find(load("paper"), FAMILY).grid[0]
    assert first == f"{run.key}  lambda 0.0  replicate 0  missing" and summary == "2 of 4 runs finished"
    assert last.endswith("lambda 1.0  replicate 1  loss 0.66667")

    assert main(["sweep", "--scale", "paper", "--family", FAMILY]) == 0
    assert "4 runs: 2 known already, 2 trained now\n" in capsys.readouterr().out
    table = read_table(paths.table("paper", FAMILY))
    assert {record["key"] for record in table} == Store(paths.store()).keys() and len(table) == 4

    assert main(["statistics", "--scale", "paper", FAMILY]) == 0
    assert capsys.readouterr().out == f"{FAMILY} at scale paper: 1 tables in data/statistics/paper\n"
    means = json.loads((paths.statistics("paper") / f"{FAMILY}.json").read_text())["tables"]["means"]
    assert means["lambda"]["values"] == [0.0, 1.0] and means["loss"]["values"] == [1.0, pytest.approx(2 / 3)]


def trained(scale):
    assert main(["sweep", "--scale", scale, "--family", FAMILY, "--device", "cpu"]) == 0


def decided(scale):
    """Verdict on the claim that the toy decides."""
    [claim] = [c for c in json.loads((paths.reports(scale) / "claims.json").read_text())["claims"] if c["id"] == "C13"]
    return claim["verdict"], claim["evidence"]


def test_a_params_file_may_have_this_family_alone(toy_alone, capsys):  # noqa: ARG001
    trained("demo")
    capsys.readouterr()
    assert main(["status", "--scale", "demo"]) == 0
    assert capsys.readouterr().out.split() == [FAMILY, "4", "of", "4", "runs", "digits"]
    assert main(["report", "--scale", "demo"]) == 0
    page = (paths.reports("demo") / "appendix.md").read_text()
    assert f"Toys of `{FAMILY}`" in page and "4 of the 4 runs" in page
    assert (paths.reports("demo") / "tables" / f"{FAMILY}.csv").read_text() == "lambda,loss\n0,1\n1,0.666667\n"
    assert decided("demo") == ("not tested (stand-in data, not comparable)", "4 runs")
    assert main(["runs", "clear", "--scale", "demo", "--tables", "--yes"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("4 runs of scale demo deleted.")


def test_data_that_stand_in_for_others_decide_nothing_and_others_do(toy_alone):
    (toy_alone / "room.py").write_text(
        (toy_alone / "room.py").read_text().replace("dataset=parameters.dataset(name)", 'dataset="its own"')
    )
    trained("demo")
    assert main(["verdicts", "--scale", "demo"]) == 0
    assert decided("demo") == ("reproduced", "4 runs")


def test_beside_all_other_rooms(toy, capsys, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr(family_module, "WITHOUT_FAMILIES", ("theory", "profiles"))  # cost: C13 is the toy's here
    trained("demo")
    capsys.readouterr()
    assert main(["status", "--scale", "demo"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(load("demo").families) and said[-1].split()[:4] == [FAMILY, "4", "of", "4"]
    assert main(["report", "--scale", "demo"]) == 0
    page = (paths.reports("demo") / "appendix.md").read_text()
    assert page.index("Family `autoencoder-mnist`") < page.index(f"Toys of `{FAMILY}`")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("slope: 2.0", "slope: 0", "params.yaml, toy.slope: expected a positive number, got 0"),
        ("toy:\n", "toys:\n", "params.yaml, top level: unknown parameter toys. Known: .*toy"),
        (f"{FAMILY}: toy_room", f"{FAMILY}: toy", "params.yaml, families: no room 'toy': it is a package beside "),
    ],
)
def test_mistakes_in_its_settings(toy, old, new, message):  # noqa: ARG001
    text = paths.PARAMS.read_text()
    assert old in text
    paths.PARAMS.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        find(load("demo"), FAMILY)


def test_a_package_without_its_module(toy):
    (toy / "room.py").unlink()
    with pytest.raises(
        UserError, match=r"^the room toy_room has no module toy_room.room: write it, with an object ROOM$"
    ):
        find(load("demo"), FAMILY)


def test_a_mistake_in_its_code_is_no_missing_module(toy):
    (toy / "room.py").write_text("import no_such_module\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        find(load("demo"), FAMILY)
