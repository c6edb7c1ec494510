"""A study's record that was changed is noticed."""

import json
import shutil
from pathlib import Path

import pytest

from replication.__main__ import main
from replication.core import paths, studies
from replication.core.errors import UserError
from replication.core.settings import load
from replication.published_tables import audit

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "data/runs/paper"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The committed studies of a project, without its tables."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    here = paths.RUNS / "paper"
    here.mkdir(parents=True)
    for path in [*studies.files(COMMITTED), COMMITTED / studies.DIGESTS]:
        shutil.copy(path, here)
    return here


def test_every_committed_study_has_a_digest_that_fits():
    files = {path.name: studies.digest(path) for path in studies.files(COMMITTED)}
    assert files == studies.read_digests(COMMITTED)
    assert {"theory.json", "corner-zeros.json", "square-part.json", "guided-inputs.json"} < files.keys()
    assert {"published-audit.json", "profile-vgg16.jsonl"} < files.keys()


@pytest.mark.parametrize("name", [path.name for path in studies.files(COMMITTED)])
def test_a_changed_digit_is_found(folder, name, capsys):
    assert main(["runs", "check", "--scale", "paper"]) == 0
    path = folder / name
    text = path.read_text()
    place = next(at for at, letter in enumerate(text) if letter in "123456789")
    path.write_text(text[:place] + "0" + text[place + 1 :])
    capsys.readouterr()
    assert main(["runs", "check", "--scale", "paper"]) == 1
    said = capsys.readouterr().out
    assert "files (8 with a digest), 1 finding" in said and f"studies  {name}  " in said


def test_a_study_done_again_is_noted_again(folder, monkeypatch):
    monkeypatch.setattr(audit, "audit", lambda: {"facts": {}, "table1": {}, "table2": {}, "table3": {}})
    before = studies.read_digests(folder)
    audit.write(load("paper"))
    after = studies.read_digests(folder)
    assert {name for name in after if after[name] != before[name]} == {"published-audit.json"}
    assert main(["runs", "check", "--scale", "paper"]) == 0


def test_where_nothing_is_noted_a_study_notes_nothing(folder, monkeypatch):
    monkeypatch.setattr(audit, "audit", dict)
    (folder / studies.DIGESTS).unlink()
    audit.write(load("paper"))
    assert not (folder / studies.DIGESTS).exists()
    assert main(["runs", "check", "--scale", "paper"]) == 0


def test_sealing_notes_what_is_not_noted_and_nothing_else(folder, capsys):
    noted = json.loads((folder / studies.DIGESTS).read_text())
    del noted["theory.json"]
    noted["square-part.json"] = "0" * 64
    (folder / studies.DIGESTS).write_text(json.dumps(noted))
    assert main(["runs", "seal", "--scale", "paper"]) == 0
    assert "1 digests added to data/runs/paper/studies.json, 7 were there" in capsys.readouterr().out
    assert studies.read_digests(folder) == noted | {"theory.json": studies.digest(folder / "theory.json")}
    (folder / studies.DIGESTS).write_text("[]")
    with pytest.raises(UserError, match=r"studies.json is damaged .* restore it with git"):
        studies.read_digests(folder)
