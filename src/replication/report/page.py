"""The report of one scale: report.md, report.html (self-contained), figures and tables, from findings."""

import base64
import re
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec.structs import asdict

from replication.core import board, paths, published
from replication.core.board import STAND_IN, Exhibit
from replication.core.files import write_text
from replication.core.settings import Parameters
from replication.report.text import folded, plain, to_html

LONG_TABLE = 12  # rows; longer tables are folded


def write(parameters: Parameters, shown: list[Exhibit]) -> str:
    """Render everything; a line that says where the report is."""
    folder = paths.reports(parameters.scale)
    note = STAND_IN if any(exhibit.stand_in for exhibit in shown) else ""
    environment = Environment(
        loader=PackageLoader("replication.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"markdown": _markdown_table, "anchor": _anchor, "folded": folded, "plain": plain}
    markdown = environment.get_template("report.md.jinja").render(
        scale=parameters.scale,
        note=note,
        claims=board.read_claims(parameters.scale),
        sections=[
            section
            for exhibit in shown
            for section in exhibit.room.sections(exhibit.parts, exhibit.findings, folder, note)
        ],
        rivals=_rivals(shown),
        long_table=LONG_TABLE,
        assumptions=published.read("assumptions"),
        settings=_settings(shown),
        relative=lambda path: path.relative_to(folder).as_posix(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "report.md", markdown)
    body = to_html(markdown)
    html = environment.get_template("report.html.jinja").render(
        body=_inline_images(_with_anchors(body), folder), scale=parameters.scale
    )
    write_text(folder / "report.html", html)
    return f"The report is {folder / 'report.html'} (and report.md beside it)."


def _rivals(shown: list[Exhibit]) -> list[dict[str, Any]]:
    """Rows of the board on hypotheses that say how many runs they stand on: name, hypothesis, and what was found."""
    found = [one for exhibit in shown for one in exhibit.hypotheses() if one.n is not None]
    by_name = {entry["id"]: entry["hypothesis"] for entry in published.read("hypotheses")}
    return [
        {"name": name, "hypothesis": said, "found": own}
        for name, said in by_name.items()
        if (own := [one for one in found if one.name == name])
    ]


def _settings(shown: list[Exhibit]) -> dict[str, dict[str, Any]]:
    """How each room trains its networks, by the room's title."""
    found: dict[str, dict[str, Any]] = {}
    for exhibit in shown:
        for part in exhibit.parts:
            training = getattr(getattr(part, "settings", None), "training", None)
            if training is not None:
                found.setdefault(exhibit.room.title, asdict(training))
    return found


def _markdown_table(table: pd.DataFrame) -> str:
    cells = table.astype(object).map(_cell).astype(object).where(table.notna(), None).rename(columns=plain)
    return str(cells.to_markdown(index=False, floatfmt=".4g", missingval=""))


def _cell(value: object) -> object:
    return plain(value) if isinstance(value, str) else value


def _anchor(title: str) -> str:
    """The name under which GitHub links to a heading: the page's links use the same."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _with_anchors(html: str) -> str:
    def heading(match: re.Match[str]) -> str:
        return f'<h2 id="{_anchor(re.sub("<[^>]+>", "", match[1]))}">{match[1]}</h2>'

    return re.sub(r"<h2>(.*?)</h2>", heading, html)


def _inline_images(html: str, folder: Path) -> str:
    def inline(match: re.Match[str]) -> str:
        data = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    return re.sub(r'src="(figures/[^"]+\.png)"', inline, html)
