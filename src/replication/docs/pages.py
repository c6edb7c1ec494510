"""`python -m replication docs`: every template under docs/templates becomes the page whose path it has there."""

import re
import textwrap
import traceback
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from replication.docs import derived
from replication.docs.facts import Facts
from replication.docs.wording import FILTERS
from replication.errors import UserError

TEMPLATES = Path("docs/templates")
SUFFIX = ".jinja"
WIDTH = 120


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
    except (TemplateError, UserError, KeyError, ValueError, AttributeError, OSError) as error:
        raise UserError(f"{TEMPLATES / name}{_line(error)}: {error}") from error
    note = f"<!-- Made from {TEMPLATES / name} by `make docs`. Edit that file, not this one. -->\n"
    return note + wrap(text)


def write(root: Path = Path()) -> list[Path]:
    """Write all pages; those that changed."""
    texts = {root / page: render(root, name) for page, name in templates(root).items()}
    changed = [page for page, text in texts.items() if not page.exists() or page.read_text() != text]
    for page in changed:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(texts[page])
    return changed


def wrap(text: str, width: int = WIDTH) -> str:
    """Fill paragraphs and list items, so that a sentence may stand on a line of its own in a template.

    Headings, tables, pictures, comments, and what stands between ``` stay as they are; `commands` are not broken.

    >>> print(wrap("One.\\nTwo.\\n\\n- A,\\n  b.\\n\\n| t |\\n", 9), end="")
    One. Two.
    <BLANKLINE>
    - A, b.
    <BLANKLINE>
    | t |
    """
    lines: list[str] = []
    paragraph: list[str] = []

    def fill() -> None:
        if paragraph:
            item = paragraph[0].startswith("- ")
            words = " ".join(line.strip() for line in paragraph)
            words = re.sub("`[^`]+`", lambda command: command[0].replace(" ", "\0"), words)  # kept on one line
            filled = textwrap.fill(
                words,
                width,
                subsequent_indent="  " if item else "",
                break_long_words=False,
                break_on_hyphens=False,
            )
            lines.extend(filled.replace("\0", " ").splitlines())
            paragraph.clear()

    code = False
    for line in text.splitlines():
        fence = line.startswith("```")
        if code or fence or not line or line.startswith(("#", "|", "!", "<")):
            fill()
            if line or code or lines[-1:] != [""]:  # what a template sets leaves blank lines
                lines.append(line)
            code ^= fence
        else:
            if line.startswith("- "):
                fill()
            paragraph.append(line)
    fill()
    return "\n".join(lines) + "\n"


def _line(error: Exception) -> str:
    """Where in the template it happened, as `, line 3`."""
    if number := getattr(error, "lineno", None):
        return f", line {number}"
    numbers = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(SUFFIX)]
    return f", line {numbers[-1]}" if numbers else ""
