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

import pytest

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
