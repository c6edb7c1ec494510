"""The committed report of the paper's scale, as a reader gets it."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from replication.core import board
from replication.core.settings import load
from replication.report import figures, page

ROOT = Path(__file__).parents[3]
REPORT = ROOT / "reports" / "paper"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    """The report made anew from the committed run tables; its pictures are empty files."""
    folder = tmp_path_factory.mktemp("anew")
    (folder / "data").mkdir()  # a folder of its own: the statistics are computed anew, too
    for name in ("params.yaml", "data/published", "data/runs", "data/benchmarks", "data/manifests"):
        (folder / name).symlink_to(ROOT / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(Figure, "savefig", lambda _, path, **__: path.touch())
        patch.setattr(figures, "_save_png", lambda _, path: path.touch())
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


def test_the_committed_report_is_this_codes(rendered):
    """Numbers aside: those of its tables are compared above, and the last digit may be the machine's."""
    anew, committed = (
        re.sub(r"-?\d+(\.\d+)?(e[-+]\d+)?", "#", (folder / "report.md").read_text()).split()
        for folder in (rendered, REPORT)
    )
    assert anew == committed
    assert {path.name for path in (rendered / "figures").iterdir()} == {p.name for p in (REPORT / "figures").iterdir()}


def test_links_within_the_page_lead_somewhere():
    html = (REPORT / "report.html").read_text()
    targets = re.findall(r'<h2 id="([^"]+)"', html)
    assert len(targets) == len(set(targets)) > 5
    assert set(re.findall(r'href="#([^"]+)"', html)) == set(targets)


def test_links_to_files_lead_somewhere():
    text = (REPORT / "report.md").read_text()
    files = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith(("#", "http"))]
    assert files and [file for file in files if not (REPORT / file).exists()] == []


def test_anchors_are_githubs():
    assert page._anchor("Table 1 as published: small CNNs") == "table-1-as-published-small-cnns"
    assert page._anchor("What ends it (H1), and `why`") == "what-ends-it-h1-and-why"


def test_every_claim_has_a_verdict_and_what_it_rests_on():
    claims = json.loads((REPORT / "claims.json").read_text())["claims"]
    assert [claim["id"] for claim in claims] == [f"C{k}" for k in range(1, 14)]
    for claim in claims:
        assert claim["verdict"] in ("reproduced", "partly", "not reproduced", "inconclusive", "not tested")
        assert claim["verdict"] == "not tested" or (claim["rule"] and claim["evidence"])
