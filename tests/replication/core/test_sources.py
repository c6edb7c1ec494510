"""What each stage is made from: files that change with its settings and its code, and with nothing else."""

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.core import code, sources
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.settings import load
from replication.imagenette import rows

ROOT = Path(__file__).parents[3]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """written(change=None) -> stage -> text, from params.yaml with one change of its document."""
    monkeypatch.chdir(tmp_path)
    yaml = YAML()

    def write(change=None, scale="demo"):
        document = yaml.load(ROOT / "params.yaml")
        if change is not None:
            change(document)
        yaml.dump(document, Path("params.yaml"))
        sources._hash.cache_clear()
        folder = sources.write(load(scale))
        assert folder == Path("data/sources") / scale
        return {path.stem: path.read_text() for path in folder.iterdir()}

    return write


def changed(before, after):
    assert before.keys() == after.keys()
    return {stage for stage in before if before[stage] != after[stage]}


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_every_stage_of_the_pipeline_has_a_file(written, scale):
    """Each stage of dvc.yaml depends on one for each part that its commands name; none is for nothing but one."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    named = set()
    for name, stage in stages.items():
        items = stage.get("foreach", [None])
        told = stage.get("do") or stage
        own = [dependency for dependency in told["deps"] if "data/sources/" in dependency]
        commands = told["cmd"] if isinstance(told["cmd"], list) else [told["cmd"]]
        parts = [max(1, len(command.partition(" --")[0].split()[3:])) for command in commands]  # behind the verb
        assert len(own) == sum(parts) or name == "sources"
        for item in map(str, items):
            named |= {Path(dependency.replace("${key}", item).replace("${item}", item)).stem for dependency in own}
    made = written(scale=scale).keys()
    assert named <= made
    assert made - named == {"calibrate-autoencoder-cifar10"}  # the paper prints too little of it for a stage


def test_a_setting_reaches_the_stages_of_its_family_alone(written):
    before = written()

    def more_epochs(document):
        document["scales"]["demo"]["unet-coco"]["max_epochs"] += 1

    stages = changed(before, written(more_epochs))
    assert stages == {"runs-unet-coco", "statistics-unet-coco", "corner-zeros"}


def test_a_comment_or_another_scale_changes_nothing(written):
    before = written()

    def elsewhere(document):
        document.yaml_set_start_comment("a remark")
        document["scales"]["paper"]["unet-coco"]["max_epochs"] += 1

    assert changed(before, written(elsewhere)) == set()


def test_lambda_reaches_every_family_that_has_it(written):
    before = written()

    def variant(document):
        document["lambda"] = 0.01

    stages = changed(before, written(variant))
    families = load("demo", ROOT / "params.yaml").families
    at_this_scale = {name for name in families if load("demo", ROOT / "params.yaml").of_scale[name] is not None}
    assert {f"runs-{name}" for name in at_this_scale} <= stages
    assert not any(stage.startswith(("prepare", "theory", "profile", "published", "corner")) for stage in stages)
    assert not any(stage.startswith("calibrate") for stage in stages)  # of unguided runs


def test_lambda_reaches_the_families_alone_that_are_trained(written):
    before = written()

    def variant(document):
        document["lambda"], document["train"] = 0.01, "cnn-mnist"

    assert changed(before, written(variant)) == {"runs-cnn-mnist", "statistics-cnn-mnist"}


def test_what_a_stage_has_recorded_reaches_others_through_its_record(written):
    """Not through this file, which would call for the stage itself again."""
    before = written()
    path = rows.record_path("demo", "resnet50-imagenette")
    rows.write_record(path, {"empirical": rows.Chosen(numbers=(1, 2), source="a profile")})
    assert find(load("demo"), "resnet50-imagenette").settings.recorded
    assert changed(before, written()) == set()


def test_settings_stand_in_one_order(written):
    """A set's order is another one in each process."""
    sections = json.loads(written()["corner-zeros"])["settings"]["sections"]
    assert list(sections) == sorted(sections)


def test_a_variant_reaches_the_report(written, monkeypatch):
    before = written()
    monkeypatch.setattr(sources, "changed", lambda scale: [f"lambda: null -> 0.01 at {scale}"])
    assert changed(before, written()) == {"report"}


def test_a_data_set_reaches_what_is_prepared_from_it(written):
    before = written()

    def other(document):
        for family in ("autoencoder-mnist", "inputs-mnist", "cnn-mnist"):
            document["scales"]["demo"][family]["dataset"] = "mnist"

    assert "prepare-mnist" in changed(before, written(other))


@pytest.mark.parametrize(
    ("touched", "meant", "spared"),
    [
        ("replication/small_cnn/training/train.py", {"runs-cnn-mnist", "calibrate-cnn-cifar10"}, "runs-unet-coco"),
        ("replication/small_cnn/statistics/claims.py", {"statistics-cnn-mnist"}, "runs-cnn-mnist"),
        ("replication/small_cnn/report/sections.py", {"report"}, "statistics-cnn-mnist"),
        ("replication/report/templates/report.html.jinja", {"report"}, "statistics-cnn-mnist"),
        ("replication/statistics/bootstrap.py", {"statistics-unet-coco", "report"}, "runs-unet-coco"),
        ("entropy_guidance/guidance.py", {"runs-cnn-mnist", "theory", "profile-unet"}, None),
        ("replication/profiles/zoo.py", {"runs-unet-coco", "layers-vgg16-imagenette"}, "runs-cnn-mnist"),
    ],
)
def test_code_reaches_the_stages_that_run_it(written, monkeypatch, touched, meant, spared):
    before = written()
    path = code.SRC / touched
    assert path.exists()
    monkeypatch.setattr(sources, "_hash", lambda file: "touched" if file == path else sources.sha256(b"").hexdigest())
    monkeypatch.setattr(sources._hash, "cache_clear", lambda: None, raising=False)
    untouched = {stage for stage, text in written().items() if '"touched"' not in text}
    assert meant <= before.keys() - untouched
    assert spared is None or spared in untouched


def test_what_a_stage_is_made_from_can_be_read(written):
    content = json.loads(written()["runs-cnn-mnist"])
    assert content["settings"]["grid"]["widths"] == [16]
    assert len(content["code"]["replication/small_cnn/grid.py"]) == 16
    assert not any("report" in path for path in content["code"])


def test_files_of_stages_that_are_no_more_go(written):
    written()
    stray = Path("data/sources/demo/runs-gone.json")
    stray.write_text("{}")
    assert "runs-gone" not in written()


def test_a_mistake_in_any_family_is_said_before_anything_is_trained(written):
    def wrong(document):
        document["scales"]["demo"]["unet-coco"]["max_epochs"] = 0

    with pytest.raises(UserError, match="unet-coco"):
        written(wrong)
