"""The charting library of the run explorer, uPlot, as the pinned package `youplot` carries it: a file, never imported.

It is copied into the page, which loads nothing. Its checksum is that of uPlot's own release, so that a package that
changed it would be refused. uPlot's licence wants to stand beside it: templates/uplot-licence.txt.
"""

from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from markupsafe import Markup

from replication.core.errors import UserError

VERSION = "1.6.31"
PACKAGE = "youplot"
FILES = {  # SHA-256 of dist/uPlot.iife.min.js and dist/uPlot.min.css of uPlot's release
    "uplot.iife.min.js": "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2",
    "uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


def script() -> Markup:
    """The library, which defines `uPlot`."""
    return _file("uplot.iife.min.js")


def style() -> Markup:
    return _file("uplot.min.css")


def _file(name: str) -> Markup:
    """A file of the package.

    Raises:
        UserError: the package is not installed, or its file is not uPlot's.
    """
    remedy = "install what requirements.lock names (`make repro` does)"
    try:
        content = Path(str(distribution(PACKAGE).locate_file(f"{PACKAGE}/vendor/{name}"))).read_bytes()
    except (PackageNotFoundError, OSError) as error:
        raise UserError(f"the run explorer needs the package {PACKAGE}: {remedy}") from error
    if sha256(content).hexdigest() != FILES[name]:
        raise UserError(f"{name} of the package {PACKAGE} is not that of uPlot {VERSION}: {remedy}")
    return Markup(content.decode())
