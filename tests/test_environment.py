"""One source of dependencies, exact versions, and no machine or registry named anywhere."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
REGISTRY = re.compile(r"pypi\.org|pythonhosted" + r"\.org|registry\.npmjs|deb\.debian" + r"\.org")


LOCKS = ("requirements.lock", "requirements-peers.lock")


def lock(name="requirements.lock"):
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", (ROOT / name).read_text(), flags=re.M))


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_installs_the_lock_and_names_no_package():
    dependencies = YAML(typ="safe").load(ROOT / "environment.yml")["dependencies"]
    assert [d if isinstance(d, dict) else re.split("[<>=]", d)[0] for d in dependencies] == [
        "python",
        "pip",
        {"pip": ["-r requirements.lock"]},
    ]


def test_the_lock_covers_every_dependency():
    extras = project()["optional-dependencies"]
    locked = lock()
    for requirement in extras["replication"] + extras["dev"]:
        name, _, version = re.sub(r"\[.*\]", "", requirement).partition("==")
        assert name.replace(".", "-").replace("_", "-") in locked
        assert not version or locked[name] == version
    assert locked["torch"] == "2.12.1" and locked["torchvision"] == "0.27.1"


def test_the_locked_versions_are_ones_that_the_library_allows():
    extras = project()["optional-dependencies"]
    for requirement in map(Requirement, project()["dependencies"] + extras["profile"] + extras["plot"]):
        assert requirement.specifier.contains(lock()[requirement.name]), requirement


def test_the_library_needs_torch_alone():
    assert [Requirement(text).name for text in project()["dependencies"]] == ["torch"]


def test_peers_are_locked_beside_what_the_lock_holds():
    peers = lock("requirements-peers.lock")
    assert {"transformers", "peft", "torchao", "lightning"} <= set(peers)
    assert {name: version for name, version in peers.items() if name in lock()}.items() <= lock().items()


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_the_lock_has_a_hash(name):
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.fixture(scope="module")
def tracked():
    """Files that git tracks."""
    try:
        names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in names if (ROOT / name).exists()]


def usable(folder):
    """What `make` says of a folder before it sets up."""
    shutil.copy(ROOT / "Makefile", folder)
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    return subprocess.run(["make", "usable"], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_make_says_that_a_download_is_no_checkout(tmp_path):
    done = usable(tmp_path)
    assert done.returncode and "git clone" in done.stdout and "git init" in done.stdout


def test_make_says_that_an_environment_was_moved(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert usable(tmp_path).returncode == 0  # not set up yet
    scripts = tmp_path / ".venv/bin"
    scripts.mkdir(parents=True)
    (scripts / "dvc").write_text(f"#!{scripts}/python\n")
    assert usable(tmp_path).returncode == 0
    (scripts / "dvc").write_text("#!/elsewhere/.venv/bin/python\n")
    done = usable(tmp_path)
    assert done.returncode and "Delete .venv, and start again" in done.stdout
    (tmp_path / ".venv").rename(tmp_path / "shared")
    (tmp_path / ".venv").symlink_to(tmp_path / "shared")
    assert usable(tmp_path).returncode == 0  # a link to another folder's is meant so


def test_links_to_a_shared_disk_are_ignored_as_folders_are(tmp_path):
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "data").mkdir()
    for name in ("data/raw", "data/prepared", ".runs", ".venv"):
        (tmp_path / name).symlink_to("/")
    status = subprocess.run(["git", "status", "--short"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert status.stdout == "?? .gitignore\n"


def test_no_registry_host_and_no_path_of_a_machine(tracked):
    for path in tracked:
        if path.suffix in {".png", ".html", ".jsonl"} or path == Path(__file__):
            continue
        assert not REGISTRY.search(path.read_text(errors="ignore")), path


def test_no_tracked_file_is_large(tracked):
    """Every version stays in the history of each clone: run tables and the report are written often."""
    assert [path for path in tracked if path.stat().st_size > 4_000_000] == []
