"""The committed report of the paper's scale, as a reader gets it."""

import json
import re
from pathlib import Path

from replication.report.page import _anchor

REPORT = Path(__file__).parents[2] / "reports" / "paper"


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
    assert _anchor("Table 1 as published: small CNNs") == "table-1-as-published-small-cnns"
    assert _anchor("What ends it (H1), and `why`") == "what-ends-it-h1-and-why"


def test_every_claim_has_a_verdict_and_what_it_rests_on():
    claims = json.loads((REPORT / "claims.json").read_text())
    assert [claim["id"] for claim in claims] == [f"C{k}" for k in range(1, 14)]
    for claim in claims:
        assert claim["verdict"] in ("reproduced", "partly", "not reproduced", "inconclusive", "not tested")
        assert claim["verdict"] == "not tested" or (claim["rule"] and claim["evidence"])
