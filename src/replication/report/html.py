"""A page of its own: pictures within it, headings with anchors, tables that can be scrolled by keyboard.

The page loads nothing. Its Content-Security-Policy lets its one script run, by the hash of it, and no other.
"""

import base64
import html as escape
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path

from markupsafe import Markup
from PIL import Image


@cache
def asset(name: str) -> Markup:
    """A style sheet or script of the templates: ours, and therefore no text to be escaped."""
    return Markup(resources.files("replication.report").joinpath("templates", name).read_text())


def script_hash(script: str) -> str:
    """How the Content-Security-Policy names a page's script."""
    return f"sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}"


@dataclass(frozen=True)
class Picture:
    """A figure within a page. The sizes let a page keep its place while pictures load."""

    title: str
    alt: str
    anchor: str  # of the figure in the appendix
    data: str
    width: int
    height: int


def picture(path: Path, title: str, alt: str) -> Picture:
    """Read a PNG."""
    with Image.open(path) as found:
        width, height = found.size
    data = base64.b64encode(path.read_bytes()).decode()
    return Picture(title.replace("`", ""), alt, path.stem, f"data:image/png;base64,{data}", width, height)


def anchor(title: str) -> str:
    """The name under which git hosts link to a heading: the page's links use the same."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def with_anchors(body: str) -> tuple[str, list[tuple[str, str]]]:
    """The same with an anchor at every heading, and name and title of those of the second level."""
    taken: dict[str, int] = {}
    second: list[tuple[str, str]] = []

    def heading(match: re.Match[str]) -> str:
        level, inside = match[1], match[2]
        title = re.sub("<[^>]+>", "", inside)
        name = anchor(title)
        taken[name] = taken.get(name, -1) + 1
        name += f"-{taken[name]}" if taken[name] else ""
        if level == "2":
            second.append((name, title))
        return f'<h{level} id="{name}">{inside}</h{level}>'

    return re.sub(r"<h([23])>(.*?)</h\1>", heading, body), second


def with_hypotheses(body: str, names: set[str]) -> str:
    """The same with an anchor where the paragraph on a hypothesis begins."""

    def begin(match: re.Match[str]) -> str:
        return f'<p id="{match[1]}"><strong>{match[1]}.</strong>' if match[1] in names else match[0]

    return re.sub(r"<p><strong>([HR][\w-]+)\.</strong>", begin, body)


def with_scrolling(body: str) -> str:
    """The same with each table in a region that the keyboard can scroll, named by the heading before it."""
    titles = {"2": "", "3": ""}
    taken: dict[str, int] = {}

    def wrap(match: re.Match[str]) -> str:
        if match[1]:
            titles[match[1]] = re.sub("<[^>]+>", "", match[2])
            titles["3"] = titles["3"] if match[1] == "3" else ""
            return match[0]
        name = ": ".join(filter(None, ["Table", *titles.values()]))
        taken[name] = taken.get(name, 0) + 1
        name += f", {taken[name]}" if taken[name] > 1 else ""
        return f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">{match[0]}</div>'

    return re.sub(r"<h([23])[^>]*>(.*?)</h\1>|<table>.*?</table>", wrap, body, flags=re.S)


def with_pictures(body: str, folder: Path, alt: Callable[[str, str], str]) -> str:
    """The same with its pictures inside. Args: alt, from name and title of a figure to what it shows."""

    def inline(match: re.Match[str]) -> str:
        found = picture(folder / match[1], match[2], alt(Path(match[1]).stem, match[2]))
        return (
            f'<img id="{found.anchor}" width="{found.width}" height="{found.height}" '
            f'src="{found.data}" alt="{escape.escape(escape.unescape(found.alt))}"'
        )

    return re.sub(r'<img src="(figures/[^"]+\.png)" alt="([^"]*)"', inline, body)
