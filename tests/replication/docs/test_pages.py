"""The written pages: their templates, what these may ask of the records, and what happens when the records change."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from scipy import stats

from replication import data as datasets
from replication.__main__ import main
from replication.autoencoder import grid
from replication.core.family import find
from replication.core.settings import load
from replication.docs import derived, facts, filling, pages
from replication.training import trainer as trainers

ROOT = Path(__file__).parents[3]
PAGES = pages.templates(ROOT)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_is_what_its_template_and_the_records_make(page):
    assert (ROOT / page).read_text() == pages.render(ROOT, PAGES[page]), "`make docs` writes it anew"


def test_every_page_with_a_template_is_here():
    expected = {
        "README.md",
        "reports/FINDINGS.md",
        "data/benchmarks/README.md",
        "docs/cluster.md",
        "docs/paper-scale.md",
        "docs/pipeline.md",
        "docs/reproducibility.md",
        "docs/setting-up.md",
    }
    assert {page.as_posix() for page in PAGES} == expected


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_decimals_that_are_typed_are_settings_and_no_results(page):
    """What the paper, a rule or params.yaml fixes may stand in a template as digits; what we measured may not."""
    fixed = {
        "2308.14938",
        "3.11",
        "5.5",
        "97.5",
        "1.10",
        "4.5",
        "0.3",
    }  # arXiv, Python, a section, a level, C13, aims, GB
    fixed |= {"0.000001", "0.00001", "0.0001", "0.001", "0.01", "0.1"}  # lambda and minimum improvements
    template = (ROOT / pages.TEMPLATES / PAGES[page]).read_text()
    prose = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}|```.*?```", "", template, flags=re.S)
    assert set(re.findall(r"\d+\.\d+", prose)) <= fixed


@pytest.fixture
def checkout(tmp_path):
    """A folder with one table, its run table, and no template yet."""
    for folder in ("docs/templates", "reports/paper/tables", "data/runs/paper"):
        (tmp_path / folder).mkdir(parents=True)
    table = pd.DataFrame({"lambda": [0.0, 0.1, 1.0], "gain": [0.0, 0.0139, -0.0408], "n": [10, 10, 5]})
    table.to_csv(tmp_path / "reports/paper/tables/gains.csv", index=False)
    run = '{"run": {"lambda": 0.1}, "metrics": {"epoch": 8}, "seconds": 2.0}\n'
    (tmp_path / "data/runs/paper/small.jsonl").write_text(run * 2)
    return tmp_path


def write(checkout, text, name="page.md"):
    (checkout / pages.TEMPLATES / f"{name}.jinja").write_text(text)


def test_a_template_becomes_the_page_of_its_path(checkout, monkeypatch, capsys):
    write(
        checkout,
        'Gain {{ cell("gains", "gain", lambda=0.1) | signed }}, n = {{ runs("small", lambda=0.1) | length }}.\n',
    )
    write(checkout, "{% set never = 1 %}", "_part.md")
    monkeypatch.chdir(checkout)
    assert main(["docs"]) == 0 and capsys.readouterr().out == "written: page.md\n"
    first, text = (checkout / "page.md").read_text().splitlines()
    assert text == "Gain +0.0139, n = 2." and "docs/templates/page.md.jinja" in first
    assert main(["docs"]) == 0 and "Every page is" in capsys.readouterr().out
    assert not (checkout / "_part.md").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n{{ unknown }}", "page.md.jinja, line 2: 'unknown' is undefined"),
        ('{{ cell("gains", "gain", n=10) }}', "gains: 2 rows have n 10, and one is wanted"),
        ('{{ cell("gains", "gain", width=3) }}', "has no column width; it has lambda, gain, n"),
        ('{{ table("gains", lambda=above(1)) }}', "has no row with lambda in a range"),
        ('{{ table("other") }}', "there is no table reports/paper/tables/other.csv"),
        ("\n\n{% if %}", "line 3"),
        ('{% do ensure(table("gains").gain.min() > 0, "all gain") %}', 'the records no longer say: "all gain"'),
    ],
)
def test_a_page_that_cannot_be_made_says_where_and_why(checkout, monkeypatch, capsys, text, message):
    write(checkout, text)
    monkeypatch.chdir(checkout)
    assert main(["docs"]) == 2
    assert message in capsys.readouterr().err and not Path("page.md").exists()


def test_conditions_choose_rows(checkout):
    table = facts.Facts(checkout).table
    assert table("gains", n=10)["lambda"].tolist() == [0, 0.1]
    assert table("gains", **{"lambda": [0, 1]})["n"].tolist() == [10, 5]
    assert table("gains", gain=facts.below(0))["n"].tolist() == [5]
    assert table("gains", **{"lambda": facts.at_least(0.1)})["n"].tolist() == [10, 5]
    assert table("gains", **{"lambda": facts.above(0.1)})["n"].tolist() == [5]


def test_paragraphs_are_filled_and_nothing_else():
    shell = "```sh\nlong line stays\n\n\nhere\n```\n"
    text = f"# A heading that is long\n\nOne two\nthree `a b c d`.\n\n- item\n  more\n- item\n\n\n{shell}"
    filled = f"# A heading that is long\n\nOne two\nthree\n`a b c d`.\n\n- item more\n- item\n\n{shell}"
    assert filling.wrap(text, 12) == filled
    assert filling.wrap("320 images + 60 more", 11) == "320\nimages + 60\nmore\n"  # "+ 60" would begin a list


def test_p_and_intervals_follow_from_the_rows():
    samples = [[0.1, 0.3, 0.2, 0.5], [-0.1, 0.2, 0.4, 0.0], [1.0, 1.1, 0.9, 1.0]]
    rows = pd.DataFrame(
        [(sum(s) / 4, *stats.ttest_1samp(s, 0).confidence_interval(), 4) for s in samples],
        columns=["gain", "low", "high", "n"],
    )
    p = [stats.ttest_1samp(s, 0).pvalue for s in samples]
    assert derived.holm(rows) == pytest.approx([2 * p[0], p[1], 3 * p[2]])
    wide = derived.widened(rows, 3)
    for (_, row), sample in zip(wide.iterrows(), samples, strict=True):
        ends = stats.ttest_1samp(sample, 0).confidence_interval(1 - 0.05 / 3)
        assert (row["low"], row["high"]) == pytest.approx(tuple(ends))


def test_the_readme_names_every_room():
    rooms = {room.parent.name for room in (ROOT / "src/replication").glob("*/room.py")}
    drawn = (ROOT / "README.md").read_text().partition("## How it fits together")[2]
    assert rooms - set(re.findall(r"(\w+)/", drawn)) == set()


def test_what_the_readme_says_of_the_demo_is_what_it_trains():
    """Width 140: without guidance, guided, guided with the error alone watched, and the variant."""
    family = "autoencoder-mnist"
    made_by = find(load("demo", ROOT / "params.yaml"), family)
    described = [(0.0, "base"), (1.0, "total"), (1.0, "base"), (0.01, "total")]
    runs = [grid.make_run(made_by.settings, 140, lambda_, 0, monitor=watched) for lambda_, watched in described]
    data = datasets.load(runs[0]["dataset"])
    trained = {}
    for run in runs:
        *_, last = trainers.find(made_by.trainer).train([run], data, torch.device("cpu"))
        trained[run.key] = last.finished[0]["metrics"]["stopping_epoch"]
    demo = facts.Facts(ROOT)

    def recorded(variant, lambda_, column="stopping_epoch", file="stopping"):
        return demo.cell(f"demo/{file}", column, variant=variant, width=140, **{"lambda": lambda_})

    assert [trained[run.key] for run in runs] == [
        recorded("published", 1.0, "unguided_epoch"),
        recorded("published", 1.0),
        recorded("base", 1.0),
        recorded("published", 0.01, file="stopping-lambda-0.01"),
    ]
    before, guided, less = (trained[runs[k].key] for k in (0, 1, 3))
    [row] = [line for line in demo.printed("variant").splitlines() if line.startswith("C4 ")]
    assert re.split(" {2,}", row)[1:] == [f"{before} epochs become {guided}", f"{before} epochs become {less}"]


def test_pages_need_no_torch():
    """Writing waits for no second of torch's."""
    code = """
import sys
from pathlib import Path
from replication.docs import pages
pages.render(Path(), "README.md.jinja")
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={"PYTHONPATH": str(ROOT / "src")}, check=False)
    assert done.returncode == 0
