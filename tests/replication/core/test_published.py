"""What the paper prints is read, or the file is named that cannot be what it was."""

from pathlib import Path

import pytest

from replication.core import paths, published
from replication.core.errors import UserError

FILES = sorted(path.stem for path in (Path(__file__).parents[3] / paths.PUBLISHED).glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read(name, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[3])
    assert published.read(name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", ["", "3", "text", "[3]", "[[]]", "- {a: b}\n- text", "a: ["])
def test_a_file_of_another_kind_is_damaged(name, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (path := paths.PUBLISHED / f"{name}.yaml").parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(UserError, match=rf"{name}\.yaml is damaged .*restore it: `git checkout data/published`"):
        published.read(name)


@pytest.mark.parametrize("entry", ["{title: x}", "{id: 3}", "{id: }"])
def test_an_entry_without_a_name(entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (path := paths.PUBLISHED / "claims.yaml").parent.mkdir(parents=True)
    path.write_text(f"- {{id: C1}}\n- {entry}\n")
    with pytest.raises(UserError, match=r"claims\.yaml is damaged \(ValueError: an entry has no id\)"):
        published.claims()
