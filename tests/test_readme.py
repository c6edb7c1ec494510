"""The README's example runs as printed; links of the written pages lead somewhere, and their numbers are recorded."""

import json
import re
from pathlib import Path
from statistics import geometric_mean

import pandas as pd
import pytest

from replication import settings
from replication.experiments import autoencoder
from replication.runs import read_table

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SECTION = TEXT.split("## Results so far")[1].split("\n## ")[0]
FINDINGS = (ROOT / "reports/FINDINGS.md").read_text()
SPEED = (ROOT / "data/benchmarks/README.md").read_text()
README, SAID, FOUND, MEASURED = (" ".join(page.split()) for page in (TEXT, SECTION, FINDINGS, SPEED))  # on one line


def benchmark(name):
    return pd.read_csv(ROOT / f"data/benchmarks/{name}.csv")


def reported(name):
    """A table of the report."""
    return pd.read_csv(ROOT / f"reports/paper/tables/{name}.csv")


def test_the_example_runs(capsys):
    [example] = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)
    exec(example, {})
    printed = capsys.readouterr().out
    assert "'conv1': " in printed and "20 of the 20 inputs of its block never vary" in printed


def test_the_speed_table_is_the_committed_measurement():
    cells = benchmark("engine").set_index(["width", "batch", "way"])
    ways = ("ours", "ours, a stack of 70", "ours, by autograd", "plain torch loop, resident tensors", "Keras fit")
    ways += ("torch DataLoader, torchvision's MNIST",)
    rows = re.findall(r"^\| (\d+), (\d+) \| (.*) \|$", TEXT, flags=re.M)
    assert len(rows) == len(cells.groupby(["width", "batch"]))
    for width, batch, printed in rows:
        row = cells.loc[(int(width), int(batch))]
        expected = [f"{row.loc[way, 'cpu_seconds']:.3g}" for way in ways]
        assert printed.split(" | ") == [*expected, f"{row.loc['ours', 'share_of_floor_rate']:.0%}"]


def test_the_aims_of_speed_are_the_committed_measurement():
    table = benchmark("engine").query("batch < 512").set_index("way")
    keras, loader = (
        geometric_mean(table.loc[way, "times_ours"]) for way in ("Keras fit", "torch DataLoader, torchvision's MNIST")
    )
    share = table.loc["ours"].query("width == 260 and batch == 128")["share_of_floor_rate"].item()
    assert f"on one core, are {keras:.1f} times, {loader:.1f} times and {share:.0%}." in README


def test_the_table_of_workers_is_the_committed_measurement():
    cells = benchmark("workers").set_index(["model", "threads"])["seconds"]
    for model in cells.index.unique("model"):
        assert f"| {model} | {cells[model, 1]:.3g} | {cells[model, 2]:.3g} |" in SPEED


def test_newtons_iteration_is_the_committed_measurement():
    table = benchmark("warm-inverse")
    wide = table[table["width"] == 260]
    assert (table["converge"] >= 0.99).all() and (table["iteration_error"] < table["lu_error"]).all()
    costs = [*wide["iteration_ms"].agg(["min", "max"]), *wide["inverse_ms"].agg(["min", "max"])]
    assert [round(value, 1) for value in costs] == [1.2, 1.2, 3.1, 4.0] and set(table["iterations"]) == {1, 2}
    assert "1 or 2 iterations of 1.2 ms (width 260; 3.1 to 4.0 ms by LU" in MEASURED


def test_how_many_small_cnns_train_in_an_hour():
    scale = settings.load("paper", ROOT / "params.yaml")
    batch, epochs = scale.cnn.batch_size, scale.cnn_grids["cnn-cifar10"].epochs
    cells = benchmark("small-cnn").set_index(["blocks", "width", "batch", "way"])
    seconds = cells.loc[(1, 32, batch, "the trainer"), "core_seconds_an_epoch"]
    trainings = int(3600 / (epochs * seconds))
    printed = (
        f"{50_000 / seconds:,.0f} of the smallest at batch {batch}, or {trainings} trainings of its {epochs} epochs"
    )
    assert printed in MEASURED


def test_how_much_faster_small_cnns_train():
    table = benchmark("small-cnn").set_index("way")
    cells = table.loc["the trainer", "times_plain"]
    same = table.loc["plain, kept", "ms"].to_numpy() / table.loc["the trainer", "ms"].to_numpy()
    printed = f"train {cells.min():.1f} to {cells.max():.1f} times as fast as in a plain loop "
    assert f"{printed}({same.min():.1f} to {same.max():.1f} times one with the same" in README


def test_the_report_has_the_committed_measurements():
    for name in ("engine", "guidance"):
        measured = benchmark(f"{name}").drop(columns=["hardware", "versions"])
        printed = reported(f"cost-{name}")
        pd.testing.assert_frame_equal(printed, measured)


def test_the_small_cnns_speed_table_is_the_committed_measurement():
    cells = benchmark("small-cnn").set_index(["blocks", "width", "batch", "way"])
    ways = ("the trainer", "the trainer, not kept", "stack of 4", "unfold of 4")
    ways += ("plain, kept", "plain", "plain, DataLoader")
    rows = re.findall(r"^\| (\d+) x (\d+), (\d+) \| (.*) \|$", SPEED, flags=re.M)
    assert len(rows) == len(cells.groupby(["blocks", "width", "batch"]))
    for *shape, printed in rows:
        row = cells.loc[tuple(map(int, shape)), "core_seconds_an_epoch"]
        assert printed.split(" | ") == [f"{row.loc[way]:.3g}" for way in ways]


def test_the_u_nets_speed_table_is_the_committed_measurement():
    cells = benchmark("unet")
    lines = [f"| {' | '.join(cells['way'])} |", "|---|---|---|"]
    lines.append(f"| {' | '.join(f'{value:.3g}' for value in cells['images_per_second'])} |")
    assert "\n".join(lines) in SPEED


def test_the_classifiers_speed_table_is_the_committed_measurement():
    cells = benchmark("classifiers")
    rows = dict(re.findall(r"^\| (vgg16|resnet50) \| ([\d. |]+) \|$", SPEED, flags=re.M))
    assert set(rows) == set(cells["network"])
    for network, printed in rows.items():
        speeds = cells.loc[cells["network"] == network, "images_per_second"]
        assert printed.split(" | ") == [f"{speed:.3g}" for speed in speeds]


def test_links_lead_somewhere():
    for page in ("README.md", "CONTRIBUTING.md", "reports/FINDINGS.md", "data/benchmarks/README.md"):
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text())
        files = [ROOT / Path(page).parent / link for link in links if not link.startswith("http")]
        assert [file for file in files if not file.exists()] == []


def test_the_verdicts_are_the_reports():
    claims = json.loads((ROOT / "reports/paper/claims.json").read_text())
    columns = [
        (f"{c['id']} ({c['where']})", c["claim"].replace("|", r"\|"), c["verdict"], c["control"]) for c in claims
    ]
    rows = [f"| {' | '.join(row)} |" for row in columns]
    assert re.findall(r"^\| C\d.*$", SECTION, flags=re.M) == rows


def test_what_the_penalty_costs_is_the_committed_measurement():
    table = benchmark("guidance")
    ratios = table.groupby(["guidance", "batch"])["ratio"].agg(["min", "max"])

    def said(form, digits, between):
        large, small = (" to ".join(f"{value:.{digits}f}" for value in ratios.loc[(form, b)]) for b in (512, 32))
        return f"{large}{between}{small} times"

    modified = said("reciprocal", 2, " times as long at batch 512, ")
    for text in (SAID, FOUND):
        assert modified in text and f"with the log form {said('log', 1, ' and ')}" in text
    assert f"with the exact one {said('exact', 1, ' and ')}" in FOUND
    [wide] = table.query("guidance == 'exact' and width == 260 and batch == 512")["ratio"]
    assert f"a step takes {wide:.2f} times as long (width 260, batch 512, MNIST's images)" in FOUND


def test_how_many_runs_there_are_is_the_reports():
    metrics = json.loads((ROOT / "reports/paper/metrics.json").read_text())
    rows = re.findall(r"^\| `([a-z0-9-]+)`: .* \| (\d+) \| ([\d,]+) \|$", TEXT, flags=re.M)
    printed = {family: (int(trained), int(planned.replace(",", ""))) for family, trained, planned in rows}
    assert printed == {k: (v["runs"], v["planned"]) for k, v in metrics.items() if "planned" in v}


def test_what_is_said_of_the_hypotheses_is_the_reports():
    metrics = json.loads((ROOT / "reports/paper/metrics.json").read_text())
    said = metrics["hypotheses"] | metrics["small-cnn-hypotheses"]
    groups: dict[str, set[str]] = {}
    for name, verdict in said.items():
        groups.setdefault(verdict, set()).add(name)
    undecided = {"H2", "H3", "H4-autoencoder-mnist", "H4-scale-autoencoder-mnist", "H4-scale-autoencoder-cifar10"}
    supported = {f"{name}-autoencoder-{data}" for name in ("H1", "H1-keras") for data in ("mnist", "cifar10")}
    partly = {"H4-autoencoder-cifar10"}
    assert groups == {"supported": supported, "undecided": undecided, "partly": partly, "refuted": {"H4-cnn", "H6"}}
    for printed in (
        "rounding: supported",
        "two groups: supported",
        "corner does: undecided",
        "lambda helps the small CNN: refuted",
        "six lambda: undecided",
        "undecided for MNIST's autoencoders, partly for CIFAR-10's, refuted for the small CNN",
        "larger weights would do: undecided",
    ):
        assert printed in SAID


def test_the_small_cnns_gain_is_the_reports():
    row = reported("cnn-cifar10-table1-first").iloc[0]
    printed = f"Its best lambda gains {row['validation gain'].split()[0]} "
    assert f"n = {row['n']} replicates exist. {printed}" in FOUND
    assert printed in SAID


def test_what_weaker_guidance_gains_is_the_reports():
    table = reported("cnn-cifar10-gains-first").set_index("lambda")
    hundredth, tenth = (f"{table.loc[lambda_, 'gain']:+.4f}" for lambda_ in (1e-6, 1e-5))
    assert f"gains nothing either ({tenth} and {hundredth} at a tenth and a hundredth of" in SAID
    assert f"0.000001 and 0.00001. There accuracy changes by {hundredth} and {tenth} (n = 10 each)" in FOUND
    assert (table.loc[[1e-6, 1e-5], "n"] == 10).all()


def test_what_mnist_shows_is_the_reports():
    table = reported("cnn-mnist-gains-first").set_index("lambda")
    harm = table.drop(1e-4)
    assert (
        (table["n"] == 10).all() and (harm["high"] < 0).all() and table.loc[1e-4, "low"] < 0 < table.loc[1e-4, "high"]
    )
    none, least, most = (f"{gain:+.4f}" for gain in (table.loc[1e-4, "gain"], harm["gain"].max(), harm["gain"].min()))
    assert f"no difference at lambda 0.0001 ({none}) and a loss at every larger one ({least} to {most};" in SAID
    assert harm["gain"].idxmax() == 0.001 and harm["gain"].idxmin() == 10
    found = f"changes by {none}, and loses at every larger lambda, {least[1:]} at 0.001 and {most[1:]} at 10 (n = 10"
    assert found in FOUND
    assert f"reaches {reported('cnn-mnist-table1-first')['validation'][0]:.3f} without guidance" in FOUND


def test_the_replayed_stopping_epochs_are_the_reports():
    told = {}
    for family in ("autoencoder-mnist", "autoencoder-cifar10"):
        table = reported(f"{family}-replay")
        large = table[(table["lambda"] == "0.01 and more") & (table["width"] >= 60)]
        assert (large["exact"] == 1).all()
        told[family] = large["n"].sum()
    printed = f"all {told['autoencoder-mnist']} guided runs on MNIST and {told['autoencoder-cifar10']} on CIFAR-10"
    assert printed in FOUND and printed[1:] in SAID
    early = [sum(run["metrics"]["stopping_epoch"] == 8 for run in large_lambda(family)) for family in told]
    assert "({} and {} of them at epoch 8,".format(*early) in FOUND


def test_what_keras_mean_would_do_is_the_reports():
    for family in ("autoencoder-mnist", "autoencoder-cifar10"):
        table = reported(f"{family}-keras-mean").query("width > 100")
        halved, large = table["keras_mean"] <= table["unguided_epoch"] / 2, table["lambda"] >= 0.01
        assert (halved == large).all()
    table = reported("autoencoder-mnist-any-epsilon-keras").set_index("epsilon")
    cells = [re.fullmatch(r"(.*) \((.*)\)", cell).groups() for cell in table.loc[1e-7].drop("n")]
    small, large = ([cell[0] for cell in part] for part in (cells[1:3], cells[3:]))
    assert f"{cells[0][0]}, {' and '.join(small)} epochs up to lambda 0.001, and " in FOUND
    assert f"{', '.join(large[:3])} and {large[3]} from 0.01 on, at MSE {cells[3][1]} to {cells[6][1]} " in FOUND


def stopping(variant):
    """What the report has of a variant of the autoencoders, by data set."""
    tables = {name: reported(f"autoencoder-{name}-stopping") for name in ("mnist", "cifar10")}
    return {name: t[t["variant"] == variant].set_index(["lambda", "width"]) for name, t in tables.items()}


def test_what_keras_mean_does_is_the_reports():
    tables = {name: table.query("width >= 100") for name, table in stopping("keras-mean").items()}
    for table, printed in zip(
        tables.values(),
        (
            "after {} and {} epochs at lambda 0.01 and after {} at 1, but after {} and {} at 0.001 ({} and {} without",
            "on CIFAR-10 {} and {}, {}, and {} and {} against {} and {},",
        ),
        strict=True,
    ):
        epochs = table["stopping_epoch"]
        assert epochs[1.0].nunique() == 1
        numbers = [*epochs[0.01], epochs[1.0].iloc[0], *epochs[0.001], *table["unguided_epoch"][0.001]]
        assert printed.format(*(f"{number:.3g}" for number in numbers)) in FOUND
    mnist = tables["mnist"]["stopping_epoch"]
    large = [f"{epochs:.0f}" for epochs in (mnist[[0.01, 1.0]].min(), mnist[[0.01, 1.0]].max())]
    small = [f"{epochs:.3g}" for epochs in mnist[0.001]]
    assert f"{' to '.join(large)} epochs from lambda 0.01 on, after {' and '.join(small)} at 0.001" in SAID
    told = [table.loc[[0.01, 1.0]] for table in tables.values()]
    assert all((part["stopping_epoch"] == part["replayed_epoch"]).all() for part in told)
    assert f"tells all {sum(part['n'].sum() for part in told)} runs of 0.01 and 1 to the epoch" in FOUND


def test_what_keras_mean_does_at_width_60_is_the_reports():
    texts = (
        "after {} epochs at 0.01, {} at 1 and {} at 0.001 ({} without guidance; ",
        "on CIFAR-10 {}, {} and {} against {}), and ",
    )
    for table, text in zip(stopping("keras-mean").values(), texts, strict=True):
        numbers = [table["stopping_epoch"][lambda_, 60] for lambda_ in (0.01, 1.0, 0.001)]
        numbers.append(table["unguided_epoch"][0.001, 60])
        assert text.format(*(f"{number:.3g}" for number in numbers)) in FOUND
    told = stopping("keras-mean")["mnist"]["replayed_epoch"][0.01, 60]
    assert f"on MNIST the replay tells {told:.3g} at 0.01." in FOUND


def test_what_other_epsilon_do_is_the_reports():
    table = reported("autoencoder-cifar10-stopping")
    other = table[table["variant"].str.startswith("epsilon")]
    assert (other["stopping_epoch"] == other["replayed_epoch"]).all() and (other["n"] == 1).all()
    assert f"CIFAR-10: single ones at the three widths, all {len(other)} told to the epoch)" in FOUND
    unbounded = pd.concat([stopping(form)["mnist"].reset_index() for form in ("log", "exact")])
    assert unbounded["lambda"].tolist() == [0.01, 1.0] * 2 and set(unbounded["n"]) == {1}
    assert (unbounded["stopping_epoch"] == 200).all() and (unbounded["width"] == 60).all()
    assert "goes on to the limit of 200 epochs (single runs on MNIST at width 60, lambda 0.01 and 1; 52 with" in FOUND


def test_what_float64_shows_is_the_reports():
    found = pd.concat(stopping("float64")).droplevel(0).reset_index()
    assert (found["stopping_epoch"] == found["unguided_epoch"]).all()
    assert f"in float64: all {found['n'].sum()} guided runs end at the epoch of the unguided run in float64" in FOUND
    wide = stopping("float64")["cifar10"].loc[0.01, 260]
    same = {"width": 260, "lambda": 0.0, "replicate": 0, "precision": "float32", "patience": 7}
    records = read_table(ROOT / "data/runs/paper/autoencoder-cifar10.jsonl")
    [single] = [record["metrics"] for record in records if same.items() <= record["run"].items()]
    epochs = f"{wide['stopping_epoch']:.0f} in float64, guided or not, and at {single['stopping_epoch']} in float32."
    assert wide["n"] == 1 and f"ends at epoch {epochs}" in FOUND


def test_what_the_exact_form_and_the_norm_save_is_the_reports():
    tables = {
        name: reported(f"autoencoder-cifar10-{name}").set_index(["variant", "width", "lambda"])
        for name in ("time-to-quality", "determinant")
    }
    epochs, determinants = tables["time-to-quality"], tables["determinant"]
    exact, norm = (epochs.loc[(name, 260, 1e-4)] for name in ("exact-base", "scale-base"))
    assert exact["n"] == norm["n"] == 5 and exact["unguided_epochs"] == norm["unguided_epochs"]
    assert exact["common_mse"] < exact["unguided_common_mse"]
    taken, without = (f"{exact[name]:.3g}" for name in ("epochs", "unguided_epochs"))
    saved = {name: f"{row['unguided_epochs'] - row['epochs']:.1f}" for name, row in (("exact", exact), ("norm", norm))}
    assert f"at 260 it takes {taken} epochs to an MSE that takes {without} without (n = 5" in SAID
    assert f"alone saves {saved['norm']} of these {saved['exact']} epochs" in SAID
    assert (
        f"{taken} against {without} at width 260 (difference {exact['low']:.1f} to {exact['high']:.1f}, n = 5 at"
        in FOUND
    )
    assert (
        f"needs {norm['epochs']:.3g} epochs, saves {saved['norm']} where the exact form saves {saved['exact']}" in FOUND
    )
    others = epochs.loc[[("exact-base", 60, 1e-4), ("exact-base", 100, 1e-4)]]
    assert ((others["low"] < 0) & (others["high"] > 0) & (others["n"] == 5)).all()
    told = [f"{row['epochs']:.3g} against {row['unguided_epochs']:.3g}" for _, row in others.iterrows()]
    assert f"takes {told[0].replace(' against', ' epochs against')} at width 60 and {told[1]} at width 100" in FOUND
    ends = [determinants.loc[(name, 260, 1e-4)] for name in ("scale-base", "exact-base")]
    said = f"(from {ends[0]['initial']:.0f} to {ends[0]['guided']:.0f}, the exact form to {ends[1]['guided']:.0f})"
    assert said in FOUND
    assert "a quarter fewer epochs in one of six settings (CIFAR-10, width 260)" in SAID
    assert 0.2 < 1 - exact["epochs"] / exact["unguided_epochs"] < 0.3


def test_what_the_norm_alone_does_on_mnist_is_the_reports():
    epochs = reported("autoencoder-mnist-time-to-quality")
    norm, exact = (
        epochs[(epochs["variant"] == name) & (epochs["lambda"] == 1e-4)].set_index("width")
        for name in ("scale-base", "exact-base")
    )
    taken = (norm["epochs"][100], norm["unguided_epochs"][100], exact["epochs"][100])
    assert "takes {:.3g} epochs against {:.3g} (the exact form {:.3g})".format(*taken) in FOUND
    ends = [f"{rows[name][60]:.4f}" for rows in (norm, exact) for name in ("common_mse", "unguided_common_mse")]
    printed = "its MSE is {} against {} after the last common epoch, where the exact form has {} against {} (n = 5)."
    assert printed.format(*ends) in FOUND and {*norm["n"], *exact["n"][[60, 100]]} == {5}


def large_lambda(family):
    """Guided runs of the published protocol, lambda of 0.01 or more, widths from 60 on."""
    planned = {
        run.key
        for run in autoencoder.paper_grid(settings.load("paper", ROOT / "params.yaml"), family)
        if run["lambda"] >= 0.01 and run["width"] >= 60
    }
    return [record for record in read_table(ROOT / f"data/runs/paper/{family}.jsonl") if record["key"] in planned]


def test_the_widths_that_miss_half_of_the_epochs_are_the_reports():
    missed = {}
    for family in ("autoencoder-mnist", "autoencoder-cifar10"):
        table = reported(f"{family}-published")
        epochs = table[table["width"] > 100].pivot(index="width", columns="lambda", values="stopping_epoch")
        misses = epochs.loc[:, epochs.columns >= 0.01].gt(epochs[0.0] / 2, axis=0)
        assert set(misses.columns[misses.any()]) == {0.01}
        missed[family] = misses.index[misses[0.01]].tolist()
    assert missed == {"autoencoder-mnist": [140, 180], "autoencoder-cifar10": [260]}
    assert "0.01 misses it, on MNIST at widths 140 and 180 and on CIFAR-10 at width 260." in FOUND


def test_what_the_placebos_do_is_the_reports():
    table = reported("cnn-cifar10-placebos").set_index(["lambda", "variant"])
    n = table.loc[(1.0, "center"), "n"]
    gains = [f"{table.loc[(1.0, variant), 'gain']:.3f}" for variant in ("corner", "center", "random")]
    printed = "the corner changes accuracy by {}, a penalty on the centre by {}, on a random position by {}"
    assert f"{printed.format(*gains)} (n = {n} " in FOUND
    exact = [f"{table.loc[(lambda_, 'exact'), 'gain']:+.4f}" for lambda_ in (1e-4, 1e-2, 1.0)]
    assert "{}, {} and {} (lambda 0.0001, 0.01 and 1)".format(*exact) in SAID
    decay = table.loc[(1.0, "decay")]
    assert f"the most harm, {decay['gain']:.3f} (n = {decay['n']:g})" in FOUND
    assert decay["gain"] == table["gain"].min()
    weak = table.loc[[(1e-4, "decay"), (0.01, "decay")]]
    assert (weak["gain"].abs() < 0.001).all() and set(weak["n"]) == {10}
    assert "At 0.0001 and 0.01 it changes accuracy by less than 0.001 (n = 10 each)." in FOUND


def test_what_the_narrow_u_net_gains_is_the_reports():
    runs = reported("unet-coco-sample-gains")
    guided, unguided = runs[runs["lambda"] > 0], runs[runs["lambda"] == 0]
    table, base = guided[guided["watched"] == "total"], guided[guided["watched"] == "base"]
    gains = [base[f"{name} gain"].agg([end]).iloc[0] for name in ("accuracy", "IoU") for end in ("min", "max")]
    assert "accuracy are then {:.3f} to {:+.3f}, those in IoU {:.3f} to {:+.3f}.".format(*gains) in FOUND
    *first, last = sorted(base["epochs"])
    assert f"end after {', '.join(map(str, first))} and {last} epochs" in FOUND and len(base) == 6
    higher = [(table[f"{name} gain"] > 0).sum() for name in ("accuracy", "IoU")]
    assert "accuracy is higher at {} of 6 lambda and IoU at {} ".format(*higher) in FOUND and len(table) == 6
    ends = pd.concat([table[f"{name} gain, 95 %"].str.split(" to ", expand=True) for name in ("accuracy", "IoU")])
    off_zero = ends.astype(float).prod(axis=1) > 0
    assert off_zero.sum() == 1 and f"(IoU at lambda 10, {table['IoU gain'].iloc[-1]:+.3f})" in FOUND
    equal = table["accuracy gain, equal epochs"].agg(["min", "max"])
    assert "the gains in accuracy are {:.3f} to {:+.3f}.".format(*equal) in FOUND and set(table["epochs"]) == {40}

    others = unguided[unguided["seed"] > 0]
    assert "of other seeds, end after {} and {} epochs".format(*others["epochs"]) in FOUND
    assert "by {:+.4g} and {:+.4g}, their IoU".format(*others["accuracy gain"]) in FOUND
    assert "their IoU by {:+.4g} and {:+.4g} (".format(*others["IoU gain"]) in FOUND
    mean, apart = table["accuracy gain"].mean(), unguided["accuracy gain"].agg(lambda gains: gains.max() - gains.min())
    assert f"runs, {mean:+.4f} in accuracy, lies within what three unguided ones differ by, {apart:.4f}." in FOUND
    assert f"gains {mean:+.4f} in accuracy" in SAID and f"lie {apart:.4f} apart" in SAID


def test_what_the_square_part_sees_is_the_reports():
    mnist, cifar10 = (reported(f"autoencoder-{name}-square-part").set_index("width") for name in ("mnist", "cifar10"))
    equal = reported("autoencoder-mnist-equal-epochs")
    assert round(mnist["images"][20] * 60_000) == 2 and "two of 60,000 training images light any" in FOUND
    shares = [f"{100 * table['variance'][width]:.2g}" for table in (mnist, cifar10) for width in (100, 260)]
    wide = "At width 100 its pixels hold {} % of the images' variance, at width 260 {} % (CIFAR-10: {} and {} %)"
    assert wide.format(*shares) in FOUND
    assert (equal[["low", "high"]].abs() < 2e-5).all(axis=None) and f"n = {equal['n'].unique()[0]} pairs" in FOUND
    narrow = reported("autoencoder-cifar10-equal-epochs").set_index("lambda").loc[1.0]
    assert f"({narrow['mse']:.4g} against {narrow['unguided_mse']:.4g}, n = {narrow['n']:g})" in FOUND
    assert narrow["high"] > 0 and narrow["epochs"] == 200
    moved = equal["change"] - equal["unguided_change"]
    assert moved.between(35, 45).all() and equal["n"].nunique() == 1


@pytest.mark.parametrize("text", [SECTION, FINDINGS], ids=["README", "findings"])
def test_the_numbers_are_the_reports(text):
    report = (ROOT / "reports/paper/report.md").read_text()
    elsewhere = r"\(published[^)]*\)|the corner changes accuracy[^(]*"  # the latter: test_what_the_placebos_do...
    numbers = re.findall(r"-?\d+\.\d+%?", re.sub(elsewhere, "", text))
    assert len(numbers) >= 3 and [number for number in numbers if number not in report] == []
