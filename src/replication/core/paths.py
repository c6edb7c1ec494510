"""Where things lie: in the project's folder, but for the run store and data sets, which several folders may share."""

import os
from pathlib import Path

PARAMS = Path("params.yaml")
PUBLISHED = Path("data/published")
BENCHMARKS = Path("data/benchmarks")
RUNS = Path("data/runs")


def store() -> Path:
    """The run store, unless REPLICATION_STORE names another one."""
    named = os.environ.get("REPLICATION_STORE")
    return Path(named) if named else project() / ".runs"


def live(family: str) -> Path:
    """Curves of a family's runs, for who watches them."""
    return project() / "live" / family


def raw() -> Path:
    """Data sets as they were downloaded."""
    return _data("raw")


def prepared() -> Path:
    """Data sets as they are trained on, a cache."""
    return _data("prepared")


def _data(kind: str) -> Path:
    """A folder of data: that in REPLICATION_DATA; or the project's; or, if there is none, its main checkout's."""
    if named := os.environ.get("REPLICATION_DATA"):
        return Path(named) / kind
    own = project() / "data" / kind
    main = _main_checkout(project())
    return main / "data" / kind if not own.exists() and main and (main / "data" / kind).exists() else own


def project() -> Path:
    """This folder. In a DVC experiment's temporary copy, DVC_ROOT still names the project it came from."""
    return Path(os.environ.get("DVC_ROOT", "."))


def _main_checkout(folder: Path) -> Path | None:
    """The checkout that a git worktree belongs to; None of any other folder."""
    link = folder / ".git"
    if not link.is_file():
        return None
    git = folder / link.read_text().removeprefix("gitdir:").strip()  # MAIN/.git/worktrees/NAME
    return git.parents[2] if git.parent.name == "worktrees" else None


def manifest(scale: str, role: str) -> Path:
    return Path("data/manifests") / scale / f"{role}.json"


def table(scale: str, family: str) -> Path:
    return Path("data/runs") / scale / f"{family}.jsonl"


def record(scale: str, name: str) -> Path:
    return Path("data/runs") / scale / f"{name}.json"


def reports(scale: str) -> Path:
    return Path("reports") / scale


def statistics(scale: str) -> Path:
    return Path("data/statistics") / scale


def verdicts(scale: str) -> Path:
    """Those of the present settings; the ones beside pages are those of the pages."""
    return Path("data/verdicts") / f"{scale}.json"


def sources(scale: str) -> Path:
    return Path("data/sources") / scale
