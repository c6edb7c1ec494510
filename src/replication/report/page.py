"""The report of one scale: report.md, report.html (self-contained), claims.json, metrics.json, figures and tables."""

import base64
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from replication import data as datasets
from replication.autoencoder import hypotheses_report as stopping_artefact
from replication.autoencoder import report as autoencoder
from replication.coco_unet import report as unet
from replication.core import paths, published
from replication.core.settings import AUTOENCODERS, Settings
from replication.core.verdict import Verdict
from replication.cost import report as step_cost
from replication.imagenette import report as classifiers
from replication.inputs import report as inputs
from replication.profiles import report as profiles
from replication.published_tables import report as published_audit
from replication.report.section import Section, folded
from replication.small_cnn import report as small_cnn
from replication.theory import report as theory

STAND_IN = "stand-in data, not comparable"
LONG_TABLE = 12  # rows; longer tables are folded
NOT_TESTED = Verdict("not tested", "no runs yet", "not tested", "")


def write(settings: Settings) -> str:
    """Render everything from the committed run tables; a line that says where the report is."""
    folder = paths.reports(settings.scale)
    note = STAND_IN if any(name in datasets.STAND_INS for name in settings.datasets) else ""
    sections = _sections(settings, folder, note)
    claims = _claims(sections)

    environment = Environment(
        loader=PackageLoader("replication.report"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"markdown": _markdown_table, "anchor": _anchor, "folded": folded}
    markdown = environment.get_template("report.md.jinja").render(
        scale=settings.scale,
        note=note,
        claims=claims,
        sections=sections,
        long_table=LONG_TABLE,
        assumptions=published.read("assumptions"),
        settings={
            "Autoencoder": vars(settings.autoencoder),
            "Small CNN": vars(settings.cnn),
            "Classifier": vars(settings.classifiers),
            "U-Net": vars(settings.unet),
        },
        relative=lambda path: path.relative_to(folder).as_posix(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(markdown)
    body = MarkdownIt("commonmark").enable("table").render(markdown)
    html = environment.get_template("report.html.jinja").render(
        body=_inline_images(_with_anchors(body), folder), scale=settings.scale
    )
    (folder / "report.html").write_text(html)
    _write_json(folder / "claims.json", claims)
    _write_json(folder / "metrics.json", {k: v for section in sections for k, v in section.metrics.items()})
    return f"The report is {folder / 'report.html'} (and report.md beside it)."


def _sections(settings: Settings, folder: Path, note: str) -> list[Section]:
    """The report's sections, in the order of the paper."""
    return [
        inputs.section(settings, folder, note),  # first: it bears on how the autoencoders' sections are read
        theory.section(settings, folder),
        profiles.section(settings, folder, note),
        *(autoencoder.section(settings, family, folder, note) for family in AUTOENCODERS),
        stopping_artefact.section(settings, folder, note),
        *small_cnn.sections(settings, folder, note),
        step_cost.section(folder),
        classifiers.section(settings, folder, note),
        *unet.sections(settings, folder, note),
        *published_audit.sections(settings.scale, folder),
    ]


def _claims(sections: list[Section]) -> list[dict[str, Any]]:
    """Every claim of the paper with its verdict. Stand-in data decide nothing: their verdict is `not tested`."""
    given = {}
    for section in sections:
        for claim, verdict in section.verdicts.items():
            assert claim not in given, f"two sections decide {claim}"
            given[claim] = asdict(verdict)
            if section.note:
                given[claim] |= {"verdict": f"not tested ({STAND_IN})", "control": "not tested"}
    return [
        {"rule": None, "amended": None} | claim | given.get(claim["id"], asdict(NOT_TESTED))
        for claim in published.read("claims")
    ]


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def _markdown_table(table: pd.DataFrame) -> str:
    cells = table.astype(object).where(table.notna(), None)
    return str(cells.to_markdown(index=False, floatfmt=".4g", missingval=""))


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
