"""The committed pages in headless Chromium: what axe finds at three widths, light and dark, and how long they are.

axe is looked for in $AXE (a path of axe.min.js) and in the packages axe-playwright-python and axe-selenium-python.
"""

import json
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

REPORT = Path(__file__).parents[3] / "reports" / "paper"
WIDTHS, THEMES = (1300, 800, 390), ("light", "dark")
LONGEST = 13_700  # pixels at the first width: a quarter of what the report took as one page
ASKED = """
axe.run().then(found => parent.postMessage({
  id: ID, height: document.documentElement.scrollHeight, width: document.documentElement.scrollWidth,
  found: found.violations.map(rule => [rule.id, rule.nodes.length, rule.nodes[0].html.slice(0, 200)])}, '*'));
"""
COLLECTED = """
<!doctype html><title>frames</title><pre id="all"></pre><script>
addEventListener('message', event => {
  document.getElementById('all').textContent += JSON.stringify(event.data) + '\\n'; });
</script>
"""


def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    if not (found := next(filter(None, map(shutil.which, names)), None)):
        pytest.skip("there is no Chromium here")
    return found


def axe() -> str:
    places = [Path(os.environ["AXE"])] if "AXE" in os.environ else []
    for package in ("axe_playwright_python", "axe_selenium_python"):
        spec = find_spec(package)
        places += sorted(Path(spec.origin).parent.rglob("axe.min.js")) if spec and spec.origin else []
    if not places:
        pytest.skip("there is no axe here: set AXE to a path of axe.min.js")
    return places[0].read_text()


def looked_at(page: Path, views: list[tuple[int, str]], folder: Path) -> list[dict[str, object]]:
    """The page in a frame for each width and theme; each tells the page around it what axe found."""
    program, rules = chromium(), axe()
    frames = []
    for number, (width, theme) in enumerate(views):
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
        text = text.replace('<html lang="en">', f'<html lang="en" data-theme="{theme}">')
        text = text.replace(
            "</body>", f"<script>{rules}</script><script>{ASKED.replace('ID', str(number))}</script></body>"
        )
        (folder / f"{number}.html").write_text(text)
        frames.append(f'<iframe src="{number}.html" width="{width}" height="800" style="border:0"></iframe>')
    (folder / "harness.html").write_text(COLLECTED + "\n".join(frames))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    command = [program, *flags, "--virtual-time-budget=120000", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, (folder / "harness.html").as_uri()], capture_output=True, text=True, timeout=240, check=True
    )
    [told] = re.findall(r'<pre id="all">(.*?)</pre>', done.stdout, flags=re.S)
    told = told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return sorted(map(json.loads, told.splitlines()), key=lambda one: one["id"])


@pytest.mark.parametrize(
    ("name", "views"),
    [
        ("report.html", list(product(WIDTHS, THEMES))),
        ("explorer.html", list(product(WIDTHS, THEMES))),
        ("appendix.html", [(1300, "light"), (390, "dark")]),  # half a minute a view
    ],
)
def test_axe_finds_nothing_and_nothing_sticks_out(name, views, tmp_path):
    found = looked_at(REPORT / name, views, tmp_path)
    for one, (width, theme) in zip(found, views, strict=True):
        assert one["found"] == [], f"{width} pixels, {theme}"
        assert one["width"] <= width
    if name == "report.html":
        assert found[0]["height"] <= LONGEST


def dumped(page, address, folder):
    """What the page shows at an address, as HTML."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=20000"]
    command = [chromium(), *flags, f"--user-data-dir={folder / 'profile'}", f"{page.as_uri()}#{address}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def rows_of(html, table):
    """Texts of a table's cells, a list a row, the head included."""
    [inside] = re.findall(rf'<table id="{table}">(.*?)</table>', html, flags=re.S)
    rows = re.findall(r"<tr>(.*?)</tr>", inside, flags=re.S)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_the_explorer_shows_the_pairs_that_an_address_asks_for(tmp_path):
    """Against scipy, on the committed table of the small CNNs on MNIST."""
    table = REPORT.parents[1] / "data/runs/paper/cnn-mnist.jsonl"
    runs = [json.loads(line) for line in table.read_text().splitlines()]
    accuracy = {(r["run"]["lambda"], r["run"]["replicate"]): r["metrics"]["validation_accuracy"] for r in runs}
    gains = [accuracy[1.0, seed] - accuracy[0.0, seed] for seed in range(10)]
    low, high = stats.t.interval(0.95, 9, np.mean(gains), stats.sem(gains))

    address = "family=cnn-mnist&lambdas=1&variant=modified+form&curve=validation+accuracy&number=validation+accuracy"
    html = dumped(REPORT / "explorer.html", address, tmp_path)
    [_, [network, variant, lambda_, pairs, guided, unguided, difference, interval]] = rows_of(html, "pairs-table")
    assert [network, variant, lambda_, pairs] == ["1 block of width 32", "modified form", "1", "10"]
    assert float(guided) - float(unguided) == pytest.approx(np.mean(gains), abs=1e-4)
    said = [float(text.replace("\N{MINUS SIGN}", "-")) for text in (difference, *interval.split(" to "))]
    assert said == pytest.approx([np.mean(gains), low, high], abs=1e-4)
    assert len(rows_of(html, "runs-table")) == 1 + 10
    assert "10 of 70 runs." in html and "10 curves of validation accuracy by epoch, lambda 1" in html
    assert "<canvas" in html


def test_the_explorer_begins_with_the_published_protocol_of_the_widest_autoencoder(tmp_path):
    html = dumped(REPORT / "explorer.html", "", tmp_path)
    rows = rows_of(html, "pairs-table")[1:]
    assert [row[:2] for row in rows] == [["width 260", "modified form"]] * 6
    assert {row[5] for row in rows} == {"34"} and rows[-1][4] == "8"
