"""The report of one scale: report.md and report.html with the answer, the appendix with everything, the explorer."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from msgspec.structs import asdict

from replication.core import board, crew, paths, published
from replication.core.board import STAND_IN, Exhibit
from replication.core.files import write_text
from replication.core.settings import Parameters
from replication.core.variant import Comparison
from replication.core.verdict import PLAIN
from replication.report import answer, charting, effects, explorer, figures, html, plots
from replication.report.drawing import later
from replication.report.html import Picture
from replication.report.section import Section
from replication.report.text import folded, plain, to_html

PAGES = ("report.md", "report.html", "appendix.md", "appendix.html")
LONG_TABLE = 12  # rows; longer tables are folded


def write(
    parameters: Parameters, shown: list[Exhibit], folder: Path | None = None, compared: Comparison | None = None
) -> str:
    """Render everything; a line that says where the report is.

    Args:
        folder: for the pages; by default those of the grid, reports/<scale>.
        compared: the settings beside the grid, if they are a variant.
    """
    folder = folder or paths.reports(parameters.scale)
    note = STAND_IN if any(exhibit.stand_in for exhibit in shown) else ""
    found = board.read(parameters.scale, folder)
    rows = effects.forest(found["claims"])
    with crew.all_cores():
        sections = [
            section
            for exhibit in shown
            for section in exhibit.room.sections(exhibit.parts, exhibit.findings, folder, note)
        ]
        if rows:
            figures.save(later(figures.forest, rows), folder, "forest", note)
    folder.mkdir(parents=True, exist_ok=True)
    by_part = {name: part for exhibit in shown for name, part in exhibit.findings.items()}
    plots.write(found, by_part, paths.reports(parameters.scale))
    _write_appendix(found, sections, shown, folder, note, compared=compared)
    _write_report(found, rows, sections, folder, note, compared=compared)
    _write_explorer(parameters, shown, folder, note)
    return f"The report is {folder / 'report.html'} (and report.md beside it)."


def delete(folder: Path) -> None:
    """Delete the pages in a folder, and what belongs to them."""
    for name in (*PAGES, "explorer.html", "claims.json"):
        (folder / name).unlink(missing_ok=True)
    for name in ("figures", "tables"):
        shutil.rmtree(folder / name, ignore_errors=True)
    with suppress(OSError):  # others put something there
        folder.rmdir()


def _write_report(
    found: dict[str, Any],
    rows: list[effects.Row],
    sections: list[Section],
    folder: Path,
    note: str,
    *,
    compared: Comparison | None,
) -> None:
    """report.html, a card for each claim; report.md, the same in short."""
    counts = answer.counts(found["claims"])
    context = {
        "board": found,
        "note": note,
        "compared": compared,
        "answer": answer.answer(found, note),
        "counts": counts,
        "counts_said": f"{', '.join(f'{number} {word}' for word, number in counts)}.",
        "forest": rows,
        "forest_alt": "; ".join(row.said for row in rows),
        "without": _without(found["claims"], rows),
        "charts": {claim["id"]: effects.chart(claim) for claim in found["claims"]},
        "pictures": {claim["id"]: _picture(claim, sections) for claim in found["claims"]},
        "tables": {table.path.stem: html.anchor(table.title) for section in sections for table in section.tables},
        "kinds": effects.KINDS,
        "tested": list(PLAIN),
        **{name: sum(one[name] for one in found["runs"]) for name in ("runs", "planned", "hours")},
    }
    write_text(folder / "report.md", _environment().get_template("report.md.jinja").render(context))
    page = _environment(escaped=True).get_template("report.html.jinja").render(context | _frame())
    write_text(folder / "report.html", page)


def _write_appendix(
    found: dict[str, Any],
    sections: list[Section],
    shown: list[Exhibit],
    folder: Path,
    note: str,
    *,
    compared: Comparison | None,
) -> None:
    """appendix.md, and the same as a page."""
    markdown = (
        _environment()
        .get_template("appendix.md.jinja")
        .render(
            scale=found["scale"],
            note=note,
            compared=compared,
            claims=found["claims"],
            coverage=found["coverage"],
            sections=sections,
            long_table=LONG_TABLE,
            assumptions=published.read("assumptions"),
            settings=_settings(shown),
            relative=lambda path: path.relative_to(folder).as_posix(),
        )
    )
    write_text(folder / "appendix.md", markdown)
    results = _results(found)
    body, headings = html.with_anchors(to_html(markdown))
    body = html.with_hypotheses(body, {one["id"] for one in found["hypotheses"]})
    body = html.with_scrolling(body)
    body = html.with_pictures(body, folder, results.get)
    page = _environment(escaped=True).get_template("appendix.html.jinja")
    body_markup = Markup(body)  # `to_html` let nothing through but what it made itself
    write_text(
        folder / "appendix.html", page.render(body=body_markup, headings=headings, scale=found["scale"], **_frame())
    )


def _results(found: dict[str, Any]) -> dict[str, str]:
    """What the figures show that claims and hypotheses stand on, by the figure's name."""
    said: dict[str, list[str]] = {}
    for one in [*found["claims"], *found["hypotheses"]]:
        if one["figure"] and one["ours"]:
            said.setdefault(one["figure"], []).append(_result(one))
    return {name: ". ".join(texts) for name, texts in said.items()}


def _result(one: dict[str, Any]) -> str:
    """What a claim's figure shows, for who cannot see it."""
    text = f"{one['id']}: {one['ours']['text']}"
    return f"{text}; after the control {one['after_control']['text']}" if one["after_control"] else text


def _picture(claim: dict[str, Any], sections: list[Section]) -> Picture | None:
    """The figure that a claim stands on, where it was drawn."""
    for section in sections:
        for figure in section.figures:
            if figure.path.stem == claim["figure"]:
                return html.picture(figure.path, figure.title, _result(claim) if claim["ours"] else claim["sentence"])
    return None


def _without(claims: list[dict[str, Any]], rows: list[effects.Row]) -> str:
    """Why some claims have no place on the axis of effects."""
    drawn = {row.claim["id"] for row in rows}
    missing = [claim for claim in claims if claim["id"] not in drawn]
    no_runs = [claim["id"] for claim in missing if not claim["ours"]]
    no_effect = [claim["id"] for claim in missing if claim["ours"]]
    said = []
    if no_effect:
        said.append(f"The paper prints no effect to compare with for {', '.join(no_effect)}.")
    if no_runs:
        said.append(f"We have no number yet for {', '.join(no_runs)}.")
    return " ".join(said)


def _write_explorer(parameters: Parameters, shown: list[Exhibit], folder: Path, note: str) -> None:
    """explorer.html: the runs themselves."""
    parts = [part for exhibit in shown for part in exhibit.parts]
    groups = list(explorer.groups(parts, list(parameters.families)))
    licence = Markup(f"/*\n{html.asset('uplot-licence.txt')}*/\n")
    frame = _frame(
        style=[charting.style(), html.asset("explorer.css")],
        script=[licence, charting.script(), html.asset("explorer.js")],
    )
    page = _environment(escaped=True).get_template("explorer.html.jinja")
    context = {
        "scale": parameters.scale,
        "note": note,
        "runs": sum(len(group.records) for group in groups),
        "content": explorer.content(groups),
        "charting_version": charting.VERSION,
    }
    write_text(folder / "explorer.html", page.render(context | frame))


def _frame(style: Sequence[Markup] = (), script: Sequence[Markup] = ()) -> dict[str, str]:
    """What every page has, and what one adds to its style and script."""
    whole = Markup("\n").join([html.asset("page.js"), *script])
    styles = Markup("\n").join([html.asset("page.css"), *style])
    return {"style": styles, "script": whole, "script_hash": html.script_hash(whole)}


def _environment(*, escaped: bool = False) -> Environment:
    environment = Environment(
        loader=PackageLoader("replication.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=escaped,
    )
    environment.filters |= {"markdown": _markdown_table, "anchor": html.anchor, "folded": folded, "plain": plain}
    environment.filters |= {name: getattr(answer, name) for name in ("tone", "icon", "short_verdict")}
    environment.filters |= {
        "said_interval": effects.said_interval,
        "said_number": effects.said_number,
        "share_axis": effects.share_axis,
    }
    return environment


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
