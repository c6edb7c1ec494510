"""The committed report of the paper's scale, as a reader gets it."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from replication.core import board
from replication.core.settings import load
from replication.report import figures, html, page

ROOT = Path(__file__).parents[3]
REPORT = ROOT / "reports" / "paper"
HTML = ("report.html", "appendix.html", "explorer.html")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    """The report made anew from the committed run tables; its pictures are single pixels."""
    folder = tmp_path_factory.mktemp("anew")
    (folder / "data").mkdir()  # a folder of its own: the statistics are computed anew, too
    for name in ("params.yaml", "data/published", "data/runs", "data/benchmarks", "data/manifests"):
        (folder / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(Figure, "savefig", lambda _, path, **__: path.touch())
        patch.setattr(figures, "_save_png", lambda _, path: Image.new("P", (1, 1)).save(path))
        parameters = load("paper")
        shown = board.exhibits(parameters)
        board.write(parameters, shown)
        page.write(parameters, shown)
    return folder / "reports" / "paper"


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {path.name: pd.read_csv(path) for path in sorted((folder / "tables").glob("*.csv"))}


def test_the_committed_tables_are_what_this_code_makes_of_the_runs(rendered):
    anew, committed = tables(rendered), tables(REPORT)
    assert set(anew) == set(committed)
    for name, table in committed.items():
        pd.testing.assert_frame_equal(anew[name], table, check_dtype=False, rtol=1e-4, atol=1e-12, obj=name)


@pytest.mark.parametrize("name", ["claims.json", "metrics.json"])
def test_the_committed_verdicts_are_what_this_code_says_of_the_runs(rendered, name):
    def near(text: str):
        return pytest.approx(float(text), rel=1e-6)

    committed = json.loads((REPORT / name).read_text(), parse_float=near)
    assert json.loads((rendered / name).read_text()) == committed


@pytest.mark.parametrize("name", ["report.md", "appendix.md"])
def test_the_committed_report_is_this_codes(rendered, name):
    """Numbers aside: those of its tables are compared above, and the last digit may be the machine's."""
    anew, committed = (
        re.sub(r"-?\d+(\.\d+)?(e[-+]\d+)?", "#", (folder / name).read_text()).split() for folder in (rendered, REPORT)
    )
    assert anew == committed


def test_the_committed_figures_are_this_codes(rendered):
    assert {path.name for path in (rendered / "figures").iterdir()} == {p.name for p in (REPORT / "figures").iterdir()}


def test_links_within_and_between_the_pages_lead_somewhere():
    pages = {name: (REPORT / name).read_text() for name in HTML}
    targets = {name: re.findall(r' id="([^"]+)"', text) for name, text in pages.items()}
    for name, text in pages.items():
        assert len(targets[name]) == len(set(targets[name])) > 15
        links = [link.partition("#") for link in re.findall(r'href="([^"]+)"', text) if not link.startswith("http")]
        for file, _, aim in links:
            assert (REPORT / (file or name)).exists(), file
            assert not aim or aim in targets[file or name], f"{file}#{aim}"
    assert {f"C{k}" for k in range(1, 14)} <= set(targets["report.html"])
    assert {"H1", "H4-scale", "H10", "c4"} <= set(targets["appendix.html"])


def test_pictures_keep_their_place_and_say_their_result():
    text = (REPORT / "report.html").read_text()
    pictures = re.findall(r'<img (width="\d+" height="\d+" )?src="data:[^"]+" alt="([^"]*)"', text)
    assert len(pictures) == 12 and all(size and alt for size, alt in pictures)
    said = json.loads((REPORT / "claims.json").read_text())["claims"][3]["ours"]["text"]
    assert any(alt.startswith(f"C4: {said}; after the control ") for _, alt in pictures)


@pytest.mark.parametrize("name", HTML)
def test_a_page_loads_nothing_and_runs_its_own_script_alone(name):
    text = (REPORT / name).read_text()
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    [script] = re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;") and f"script-src 'sha256-{digest}'" in policy
    assert not re.findall(r'(?:src|srcset)="(?!data:)', text) and "@import" not in text and "url(" not in text


@pytest.mark.parametrize("name", ["report.md", "appendix.md"])
def test_links_to_files_lead_somewhere(name):
    text = (REPORT / name).read_text()
    files = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith(("#", "http"))]
    assert files and [file for file in files if not (REPORT / file.partition("#")[0]).exists()] == []


def test_anchors_are_githubs():
    assert html.anchor("Table 1 as published: small CNNs") == "table-1-as-published-small-cnns"
    assert html.anchor("What ends it (H1), and `why`") == "what-ends-it-h1-and-why"


def test_every_claim_has_a_verdict_and_what_it_rests_on():
    claims = json.loads((REPORT / "claims.json").read_text())["claims"]
    assert [claim["id"] for claim in claims] == [f"C{k}" for k in range(1, 14)]
    for claim in claims:
        assert claim["verdict"] in ("reproduced", "partly", "not reproduced", "inconclusive", "not tested")
        assert claim["verdict"] == "not tested" or (claim["rule"] and claim["evidence"])
