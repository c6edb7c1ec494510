"""What the written pages promise: the example prints what it says, commands exist, links and anchors lead somewhere."""

import json
import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from replication.__main__ import _parser
from replication.docs.wording import anchor

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "reports/FINDINGS.md", "data/benchmarks/README.md"]
PAGES += [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()


def commands(page):
    """What a reader may type: lines of shell blocks, without their comments, and inline code."""
    text = (ROOT / page).read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    return [part.strip() for line in lines + inline for part in line.split("&&")]


def test_the_example_prints_what_the_readme_says(capsys):
    [example] = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    exec(example, {})
    promised = [line[2:] for line in example.splitlines() if line.startswith("# ")]
    assert capsys.readouterr().out.splitlines() == promised


def test_the_librarys_example_finds_the_blank_margin(capsys):
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(), flags=re.S)
    exec(example, {})
    assert "20 of the 20 inputs of its block never vary" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page, capsys):
    makefile = (ROOT / "Makefile").read_text()
    for command in commands(page):
        words = shlex.split(command)
        if words[:3] == ["python", "-m", "replication"] and len(words) > 3 and words[3].islower():
            with pytest.raises(SystemExit) as ended:  # --help, and before it every word that stands in front
                _parser().parse_args([*words[3:], "--help"])
            assert ended.value.code == 0, f"{command}: {capsys.readouterr().err}"
        elif words[:1] == ["python"] and len(words) > 1 and words[1].endswith(".py"):
            assert (ROOT / words[1]).exists(), command
        elif words[:1] == ["make"] and len(words) > 1:
            assert re.search(rf"^{words[1]}:", makefile, flags=re.M), command


@pytest.mark.parametrize("page", PAGES)
def test_variants_change_settings_that_exist(page):
    for setting in re.findall(r"dvc exp run.* -S '?([\w.-]+)=", (ROOT / page).read_text()):
        found = YAML(typ="safe").load(ROOT / "params.yaml")
        for name in setting.split("."):
            found = found[name]  # a KeyError names what is missing


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_lead_somewhere(page):
    text = (ROOT / page).read_text()
    for link, _, name in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", text)):
        if link.startswith("http"):
            continue
        target = (ROOT / page).parent / link if link else ROOT / page
        assert target.exists(), link
        if name:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), flags=re.M)
            assert name in {anchor(heading) for heading in headings}, f"{link}#{name}"


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 120


def test_what_the_readme_draws_exists():
    drawing = README.split("## How it fits together")[1].split("```")[1]
    within, paths = "", []
    for line in drawing.splitlines()[1:]:
        for name in re.findall(r"(?<!\S)([\w/]+/)", line):
            within = name if line.startswith(name) else within
            paths.append(name if (ROOT / name).is_dir() else within + name)  # of a room its own name alone is drawn
    assert len(paths) >= 8 and [path for path in paths if not (ROOT / path).is_dir()] == []


def test_the_board_has_each_claim_with_its_verdict_and_control():
    claims = json.loads((ROOT / "reports/paper/claims.json").read_text())["claims"]
    rows = re.findall(r"^\| \[(C\d+) .*\*\*(.*)\*\*(?: \(so far .*\))? \|.*\| (.*) \|$", README, flags=re.M)
    assert rows == [(claim["id"], claim["verdict"], claim["control"]) for claim in claims]


def test_the_runs_that_are_counted_are_committed():
    board = json.loads((ROOT / "reports/paper/claims.json").read_text())
    families = {part["family"]: part for part in board["runs"]}
    tables = {name: ROOT / f"data/runs/paper/{name}.jsonl" for name in families}
    lines = {
        name: sum(map(bool, path.read_text().splitlines())) if path.exists() else 0 for name, path in tables.items()
    }
    assert lines == {name: part["runs"] for name, part in families.items()}
    total, planned = sum(lines.values()), sum(part["planned"] for part in families.values())
    assert f"{total:,} of {planned:,} planned trainings are done" in README
