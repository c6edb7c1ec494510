"""The README's Python example runs as printed, and the files it links to exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def test_the_example_runs(capsys):
    [example] = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)
    exec(example, {})
    assert "tensor(" in capsys.readouterr().out


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if not link.startswith("http")]
    assert links and [link for link in links if not (ROOT / link).exists()] == []
