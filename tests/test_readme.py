"""The README's Python example runs as printed, and the files it links to exist."""

import json
import re
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SECTION = TEXT.split("## Results so far")[1].split("\n## ")[0]


def test_the_example_runs(capsys):
    [example] = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)
    exec(example, {})
    assert "tensor(" in capsys.readouterr().out


def test_the_speed_table_is_the_committed_measurement():
    cells = pd.read_csv(ROOT / "data/benchmarks/engine.csv").set_index(["width", "batch", "way"])
    ways = ("ours", "ours, a stack of 70", "ours, by autograd", "plain torch loop, resident tensors", "Keras fit")
    ways += ("torch DataLoader, torchvision's MNIST",)
    rows = re.findall(r"^\| (\d+), (\d+) \| (.*) \|$", TEXT, flags=re.M)
    assert len(rows) == len(cells.groupby(["width", "batch"]))
    for width, batch, printed in rows:
        row = cells.loc[(int(width), int(batch))]
        expected = [f"{row.loc[way, 'cpu_seconds']:.3g}" for way in ways]
        assert printed.split(" | ") == [*expected, f"{row.loc['ours', 'share_of_floor_rate']:.0%}"]


def test_the_table_of_workers_is_the_committed_measurement():
    cells = pd.read_csv(ROOT / "data/benchmarks/workers.csv").set_index(["model", "threads"])["seconds"]
    for model in cells.index.unique("model"):
        assert f"| {model} | {cells[model, 1]:.3g} | {cells[model, 2]:.3g} |" in TEXT


def test_the_report_has_the_committed_measurements():
    for name in ("engine", "guidance"):
        measured = pd.read_csv(ROOT / f"data/benchmarks/{name}.csv").drop(columns=["hardware", "versions"])
        printed = pd.read_csv(ROOT / f"reports/paper/tables/cost-{name}.csv")
        pd.testing.assert_frame_equal(printed, measured)


def test_the_small_cnns_speed_table_is_the_committed_measurement():
    cells = pd.read_csv(ROOT / "data/benchmarks/small-cnn.csv").set_index(["blocks", "width", "batch", "way"])
    ways = ("the trainer", "the trainer, not kept", "stack of 4", "unfold of 4")
    ways += ("plain, kept", "plain", "plain, DataLoader")
    rows = re.findall(r"^\| (\d+) x (\d+), (\d+) \| (.*) \|$", TEXT, flags=re.M)
    assert len(rows) == len(cells.groupby(["blocks", "width", "batch"]))
    for *shape, printed in rows:
        row = cells.loc[tuple(map(int, shape)), "core_seconds_an_epoch"]
        assert printed.split(" | ") == [f"{row.loc[way]:.3g}" for way in ways]


def test_the_u_nets_speed_table_is_the_committed_measurement():
    cells = pd.read_csv(ROOT / "data/benchmarks/unet.csv")
    lines = [f"| {' | '.join(cells['way'])} |", "|---|---|---|"]
    lines.append(f"| {' | '.join(f'{value:.3g}' for value in cells['images_per_second'])} |")
    assert "\n".join(lines) in TEXT


def test_the_classifiers_speed_table_is_the_committed_measurement():
    cells = pd.read_csv(ROOT / "data/benchmarks/classifiers.csv")
    rows = dict(re.findall(r"^\| (vgg16|resnet50) \| ([\d. |]+) \|$", TEXT, flags=re.M))
    assert set(rows) == set(cells["network"])
    for network, printed in rows.items():
        speeds = cells.loc[cells["network"] == network, "images_per_second"]
        assert printed.split(" | ") == [f"{speed:.3g}" for speed in speeds]


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if not link.startswith("http")]
    assert links and [link for link in links if not (ROOT / link).exists()] == []


def test_the_verdicts_are_the_reports():
    claims = json.loads((ROOT / "reports/paper/claims.json").read_text())
    columns = [
        (f"{c['id']} ({c['where']})", c["claim"].replace("|", r"\|"), c["verdict"], c["control"]) for c in claims
    ]
    rows = [f"| {' | '.join(row)} |" for row in columns]
    assert re.findall(r"^\| C\d.*$", SECTION, flags=re.M) == rows


def test_the_small_cnns_gain_is_the_reports():
    row = pd.read_csv(ROOT / "reports/paper/tables/cnn-cifar10-table1-first.csv").iloc[0]
    text = " ".join(SECTION.split())
    assert f"n = {row['n']} replicates exist. Its best lambda gains {row['validation gain'].split()[0]} " in text


def test_the_replayed_stopping_epochs_are_the_reports():
    told = {}
    for family in ("autoencoder-mnist", "autoencoder-cifar10"):
        table = pd.read_csv(ROOT / f"reports/paper/tables/{family}-replay.csv")
        large = table[(table["lambda"] == "0.01 and more") & (table["width"] >= 60)]
        assert (large["exact"] == 1).all()
        told[family] = large["n"].sum()
    printed = f"all {told['autoencoder-mnist']} guided runs on MNIST and {told['autoencoder-cifar10']} on CIFAR-10"
    assert printed in " ".join(SECTION.split())


def test_what_the_square_part_sees_is_the_reports():
    tables = ROOT / "reports/paper/tables"
    mnist, cifar10 = (
        pd.read_csv(tables / f"autoencoder-{name}-square-part.csv").set_index("width") for name in ("mnist", "cifar10")
    )
    equal = pd.read_csv(tables / "autoencoder-mnist-equal-epochs.csv")
    text = " ".join(SECTION.split())
    assert round(mnist["images"][20] * 60_000) == 2 and "two of 60,000 training images light any" in text
    shares = [f"{100 * table['variance'][width]:.2g}" for table in (mnist, cifar10) for width in (100, 260)]
    wide = "At width 100 its pixels hold {} % of the images' variance, at width 260 {} % (CIFAR-10: {} and {} %)"
    assert wide.format(*shares) in text
    assert (equal[["low", "high"]].abs() < 1e-5).all(axis=None) and f"n = {equal['n'].unique()[0]} pairs" in text
    narrow = pd.read_csv(tables / "autoencoder-cifar10-equal-epochs.csv").set_index("lambda").loc[1.0]
    assert f"({narrow['mse']:.4g} against {narrow['unguided_mse']:.4g}, n = {narrow['n']:g})" in text
    assert narrow["high"] > 0 and narrow["epochs"] == 200
    moved = equal["change"] - equal["unguided_change"]
    assert moved.between(35, 45).all() and equal["n"].nunique() == 1


def test_the_numbers_are_the_reports():
    report = (ROOT / "reports/paper/report.md").read_text()
    numbers = re.findall(r"-?\d+\.\d+%?", re.sub(r"\(published[^)]*\)", "", SECTION))
    assert len(numbers) >= 3 and [number for number in numbers if number not in report] == []
