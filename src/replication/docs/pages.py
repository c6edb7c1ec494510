"""`python -m replication docs`: every template under docs/templates becomes the page whose path it has there."""

import traceback
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from replication.core.errors import UserError
from replication.core.files import write_text
from replication.docs import derived
from replication.docs.facts import Facts
from replication.docs.filling import wrap
from replication.docs.wording import FILTERS

TEMPLATES = Path("docs/templates")
SUFFIX = ".jinja"


def templates(root: Path) -> dict[Path, str]:
    """The pages and the templates that they are made from: `README.md` from `README.md.jinja`. `_` begins a part."""
    folder = root / TEMPLATES
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob(f"[!_]*{SUFFIX}"))
    return {Path(name.removesuffix(SUFFIX)): name for name in names}


def render(root: Path, name: str) -> str:
    """The text of one page from its template and the committed records."""
    environment = Environment(
        loader=FileSystemLoader(root / TEMPLATES),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= Facts(root).functions() | derived.FUNCTIONS
    environment.filters |= FILTERS
    try:
        text = environment.get_template(name).render()
    except (TemplateError, UserError, LookupError, ValueError, TypeError, AttributeError, OSError) as error:
        raise UserError(f"{TEMPLATES / name}{_line(error)}: {error}") from error
    note = f"<!-- Made from {TEMPLATES / name} by `make docs`. Edit that file, not this one. -->\n"
    return note + wrap(text)


def write(root: Path = Path()) -> list[Path]:
    """Write all pages; those that changed."""
    texts = {root / page: render(root, name) for page, name in templates(root).items()}
    changed = [page for page, text in texts.items() if not page.exists() or page.read_text() != text]
    for page in changed:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_text(page, texts[page])
    return changed


def _line(error: Exception) -> str:
    """Where in the template it happened, as `, line 3`."""
    if number := getattr(error, "lineno", None):
        return f", line {number}"
    numbers = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(SUFFIX)]
    return f", line {numbers[-1]}" if numbers else ""
