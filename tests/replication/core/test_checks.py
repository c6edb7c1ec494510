"""Each check passes a sound record and finds what has been done to it."""

import copy
import json
import math
from pathlib import Path

import pytest

from replication import data as datasets
from replication.__main__ import main
from replication.core import checks, paths, repeats
from replication.core.checks import Held
from replication.core.executors import in_process
from replication.core.records import sealed
from replication.core.repeats import CPU, cheapest, repeat
from replication.core.run import Run
from replication.core.runs import make_record, read_table, write_table
from replication.core.settings import load
from replication.core.store import Store

ROOT = Path(__file__).parents[3]
PARAMETERS = load("demo", ROOT / "params.yaml")
FAMILY = "autoencoder-mnist"
TRAINER = "replication.autoencoder.training.train"
CURVE = [0.5, 0.3, 0.4, 0.35, 0.36, 0.2]  # patience 3 ends it after the fifth epoch


def sound(run, epochs=5, **histories):
    """A record as an autoencoder's trainer makes it, of a run with patience 3."""
    curve = CURVE[:epochs]
    history = {"train_mse": curve, "validation_mse": curve, "entropy_change": [-200.0 + k for k in range(epochs)]}
    lowest = min(curve)
    metrics = {
        "stopping_epoch": epochs,
        "stopped_early": int(epochs == 5),
        "validation_mse": curve[-1],
        "best_validation_mse": lowest,
        "best_epoch": curve.index(lowest) + 1,
        "entropy_change": history["entropy_change"][-1],
    }
    return make_record(run, metrics, history | histories, 1.5, {"torch": "2.12.1", "processor": "A"})


def changed(record, part, **values):
    other = copy.deepcopy(record)
    other[part] |= values
    return other


def held(*records):
    return [Held("a.jsonl", record) for record in records]


def found(check, *records):
    return [finding.what for finding in check(held(*records)).findings]


def test_sound_records_pass_every_check(make_run):
    runs = [make_run(), make_run(0.01), make_run(0.01, monitor="base"), make_run(replicate=1)]
    outcomes = checks.check([*held(*map(sound, runs)), Held(f".runs/{runs[0].key}.json", sound(runs[0]))])
    assert [outcome.findings for outcome in outcomes] == [[]] * 6
    assert list(map(str, outcomes)) == [
        "keys: 5 records, 0 findings",
        "duplicates: 5 records, 0 findings",
        "metrics against histories: 4 records, 0 findings",
        "early stopping: 4 records (what was watched is known of 4), 0 findings",
        "twins: 1 pair, 0 findings",
        "order of the data: 0 pairs, 0 findings",
    ]


def test_a_key_is_that_of_settings_and_version(make_run):
    record = sound(make_run())
    [what] = found(checks.keys, changed(record, "run", width=6))
    assert what == f"its settings give the key {make_run(width=6).key}"
    assert len(found(checks.keys, record | {"version": 0})) == 1
    older = checks.key_of(record["family"], 0, record["run"])
    assert found(checks.keys, record | {"version": 0, "key": older}) == []
    outcome = checks.keys([Held(".runs/0123456789abcdef.json", record)])
    assert [finding.what for finding in outcome.findings] == ["its file has another name"]


def test_content_has_the_digest_that_it_carries_or_that_is_kept_beside_its_table(make_run):
    record, kept = sealed(sound(make_run())), {make_run(width=6).key: "0" * 64}
    other = changed(record, "metrics", best_epoch=4)
    outcome = checks.digests(held(record, other, sound(make_run(width=6)), sound(make_run(width=7))), kept)
    assert str(outcome) == "digests: 4 records (3 with a digest), 2 findings"
    assert [finding.key for finding in outcome.findings] == [record["key"], make_run(width=6).key]
    assert not checks.digests([Held(".runs/x.json", sound(make_run(width=6)))], kept).findings


def test_pairs_whose_data_lie_in_another_order_are_named(make_run):
    def on(order, *args, **changes):
        return sound(make_run(*args, **changes)) | {"data": {"train": "t", "validation": "v", "order": order}}

    records = [on("a"), on("a", 0.1), on("b", 0.2), on("b", 0.2, replicate=1), sound(make_run(0.3))]
    outcome = checks.orders(held(*records))
    assert str(outcome) == "order of the data: 2 pairs, 1 finding"
    [finding] = outcome.findings
    assert finding.key == records[2]["key"]
    assert finding.what == (
        f"its data lie in another order than those of {records[0]['key']}, the unguided run of its seed"
    )


def test_a_run_is_there_once(make_run):
    record = sound(make_run())
    assert found(checks.duplicates, record, record) == ["is in this file more than once"]
    other = changed(record, "history", train_mse=[0.5, 0.3, 0.4, 0.25, 0.36])
    outcome = checks.duplicates([Held("a.jsonl", record), Held("b.json", record), Held("c.json", other)])
    [finding] = outcome.findings
    assert finding.file == "c.json"
    assert finding.what == "is another record than in a.jsonl: train_mse by up to 0.1 since epoch 4"
    assert found(checks.twins, record, other) == []  # of this the check of duplicates tells
    [what] = found(checks.duplicates, record, sound(make_run(width=5.0)))
    assert what == f"is the run of {record['key']}, with a number of another type"


@pytest.mark.parametrize(
    ("part", "values", "what"),
    [
        ("metrics", {"stopping_epoch": 4}, "stopping_epoch is 4, its histories have 5 epochs"),
        ("metrics", {"validation_mse": 0.3600001}, "validation_mse is 0.3600001, its history ends with 0.36"),
        ("metrics", {"best_epoch": 4}, "validation_mse is best at epoch 4 with 0.3; by its history at 2 with 0.3"),
        ("metrics", {"best_validation_mse": 0.2}, "validation_mse is best at epoch 2 with 0.2; by its history at 2"),
        ("history", {"train_mse": [0.5, 0.3]}, "its histories have 2 and 5 epochs"),
        ("run", {"max_epochs": 4}, "its histories have 5 epochs, and 4 were allowed"),
        ("run", {"epochs": 10}, "its histories have 5 epochs, and 10 were asked for"),
    ],
)
def test_metrics_are_what_the_histories_say(make_run, part, values, what):
    [said] = found(checks.histories, changed(sound(make_run()), part, **values))
    assert said.startswith(what)


def test_no_history_at_all_is_found(make_run):
    assert found(checks.histories, sound(make_run()) | {"history": {}}) == ["its histories have no epochs"]


def test_nine_digits_of_a_metric_are_compared(make_run):
    third = changed(sound(make_run()), "history", validation_mse=[0.5, 0.3, 0.4, 0.35, 0.333333333])
    assert found(checks.histories, changed(third, "metrics", validation_mse=1 / 3)) == []


def test_an_accuracy_is_best_where_it_is_highest(make_run):
    history = {"validation_accuracy": [0.5, 0.8, 0.8, 0.7]}
    metrics = {"best_epoch": 2, "best_validation_accuracy": 0.8, "validation_accuracy": 0.7}
    record = make_record(make_run(), metrics, history, 1, {})
    assert found(checks.histories, record) == []
    assert len(found(checks.histories, changed(record, "metrics", best_epoch=3))) == 1  # not the first


def test_a_diverged_run_has_no_best_epoch(make_run):
    record = changed(sound(make_run()), "history", validation_mse=[math.nan] * 5)
    nothing = {"best_epoch": math.nan, "best_validation_mse": math.nan, "validation_mse": math.nan}
    assert found(checks.histories, changed(record, "metrics", **nothing)) == []


def test_a_run_ends_where_its_rule_says(make_run):
    run = make_run()
    assert found(checks.stopping, sound(run), sound(make_run(max_epochs=4), 4)) == []
    for record, what in (
        (sound(run, 6), "it ended after 6 epochs, and its rule stops after 5"),
        (changed(sound(run, 4), "metrics", stopped_early=1), "it stopped after 4 epochs, and its rule goes on"),
        (sound(run, 4), "it ended after 4 of 6 epochs, and nothing stopped it"),
        (
            changed(sound(run), "metrics", stopped_early=0),
            "its rule stops after 5 epochs, where it ended, and it says that it was not stopped",
        ),
    ):
        assert found(checks.stopping, record) == [what]


def test_what_was_watched_is_put_together_where_it_can_be(make_run):
    """lambda/epsilon = 2^24 in float32: the loss vanishes beside it, and its improvement with it."""
    settings = {"precision": "float32", "epsilon": 2.0**-7}
    total, base = make_run(2.0**17, **settings), make_run(2.0**17, monitor="base", **settings)
    assert checks.watched(sound(total)) == [2.0**24] * 5 and checks.watched(sound(base)) == CURVE[:5]
    assert found(checks.stopping, sound(total)) == ["it ended after 5 epochs, and its rule stops after 4"]
    log = sound(make_run(0.5, form="log", **settings))
    assert checks.watched(log) == pytest.approx([CURVE[k] + 0.5 * (200 - k) for k in range(5)])
    exact, keras = make_run(0.5, form="exact", **settings), make_run(0.5, monitor="keras", **settings)
    assert checks.watched(sound(exact)) is checks.watched(sound(keras)) is None
    assert str(checks.stopping(held(sound(exact)))) == (
        "early stopping: 1 record (what was watched is known of 0), 0 findings"
    )
    assert found(checks.stopping, sound(exact, 4)) == ["it ended after 4 of 6 epochs, and nothing stopped it"]
    written = changed(sound(exact), "history", monitored=[1.0] * 5)
    assert found(checks.stopping, written) == ["it ended after 5 epochs, and its rule stops after 4"]


def test_twins_are_one_training(make_run):
    """Up to the end of the shorter one; time and what was watched aside."""
    clocks = {"seconds": [1.0, 2.0, 3.0, 4.0], "monitored": [9.0, 8.0, 7.0, 6.0]}
    long, short = sound(make_run(0.01)), sound(make_run(0.01, monitor="base", max_epochs=4), 4, **clocks)
    assert checks.differences(long, short) == []
    assert str(checks.twins(held(long, short, sound(make_run(0.1))))) == "twins: 1 pair, 0 findings"
    torn = changed(short, "history", train_mse=[0.5, 0.31, 0.4, 0.5], validation_mse=[0.5, 0.3, math.nan, 0.35])
    torn["environment"] = {"torch": "2.12.1", "threads": "2"}
    [what] = found(checks.twins, long, torn)
    assert what == (
        f"is not as its twin {torn['key']}: train_mse by up to 0.15 since epoch 2, validation_mse by up to inf since "
        "epoch 3. The one: processor A, torch 2.12.1, capability, threads not recorded; the other: threads 2, torch "
        "2.12.1, processor, capability not recorded"
    )
    assert found(checks.twins, long, torn | {"version": 0}) == []


def test_what_was_watched_is_compared_where_it_was_the_same(make_run):
    one, other = (
        sound(make_run(0.01, patience=patience), monitored=values)
        for patience, values in ((3, [1.0] * 5), (4, [1.0, 1.0, 1.0, 1.0, 0.5]))
    )
    assert checks.said(checks.differences(one, other)) == "monitored by up to 0.5 since epoch 5"


def test_lines_that_are_no_json_are_named(make_run):
    record = sound(make_run())
    lines = [json.dumps(record), json.dumps(changed(record, "metrics", penalty=math.nan)), '{"key":', "[1]", ""]
    lines.append(json.dumps(record | {"run": []}))
    read, outcome = checks.read({"a.jsonl": "\n".join(lines)})
    assert len(read) == 2 and math.isnan(read[1].record["metrics"]["penalty"])
    assert str(outcome) == "JSON: 5 lines, 4 findings"
    nan, half, other, torn = map(str, outcome.findings)
    assert nan == f"a.jsonl  {record['key']}  it holds NaN, which is no JSON"
    assert half.startswith("a.jsonl  line 3  Expecting value")
    assert other == "a.jsonl  line 4  not a run record" and torn == "a.jsonl  line 6  not a run record"


def test_the_committed_tables_pass_all_checks_but_that_of_twins():
    """Twins were made on different machines, and two of them by different numbers of threads."""
    tables = [path for family in PARAMETERS.families for path in (ROOT / "data/runs/paper").glob(f"{family}*.jsonl")]
    read, parsed = checks.read({path.name: path.read_text() for path in set(tables)})
    assert len(read) >= 1495
    findings = {outcome.kind: outcome.findings for outcome in (parsed, *checks.check(read))}
    assert {kind for kind, found in findings.items() if found} <= {"twins"}


@pytest.fixture
def digits(make_run, tmp_path, monkeypatch):
    """Records of three short runs on embedded data, in a project's folder of their own."""
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(text)
    settings = {"dataset": "digits", "precision": "float32", "width": 4, "batch_size": 512, "patience": 9}
    runs = [Run(FAMILY, make_run(max_epochs=epochs, **settings).settings) for epochs in (2, 1, 3)]
    records = [
        record for run in runs for epoch in in_process([[run]], TRAINER, CPU, math.inf) for record in epoch.finished
    ]
    return [record | {"seconds": seconds} for record, seconds in zip(records, (2.0, 1.0, 3.0), strict=True)]


def test_the_cheapest_runs_with_data_are_trained_again(digits, monkeypatch):
    monkeypatch.setattr(repeats, "workers", lambda: 1)  # one process to start
    elsewhere = [digits[0] | {"run": digits[0]["run"] | {"dataset": "cifar10"}}, digits[0] | {"version": 0}]
    chosen = cheapest([*elsewhere, *digits], 2)
    assert [record["seconds"] for record in chosen] == [1.0, 2.0]
    assert cheapest(digits, 9) == [digits[1], digits[0], digits[2]]
    torn = changed(chosen[1], "history", train_mse=[value + 0.5 for value in chosen[1]["history"]["train_mse"]])
    again = {recorded["key"]: (recorded, anew) for recorded, anew in repeat(PARAMETERS, [chosen[0], torn])}
    assert checks.differences(*again[chosen[0]["key"]]) == []
    assert checks.said(checks.differences(*again[torn["key"]])) == "train_mse by up to 0.5 since epoch 1"
    assert not paths.store().exists()


def test_data_are_there_if_prepared_or_embedded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert datasets.is_there("digits") and not datasets.is_there("mnist") and not datasets.is_there("coco-3-1")
    (paths.prepared() / "coco-3-1").mkdir(parents=True)
    (paths.prepared() / "mnist.safetensors").touch()
    assert datasets.is_there("mnist") and datasets.is_there("coco-3-1")


def test_the_command_prints_a_line_a_check_and_each_finding(digits, capsys):
    table = paths.table("demo", FAMILY)
    write_table(table, digits[:1])
    Store(paths.store()).put(digits[1])
    assert main(["runs", "check", "--scale", "demo", "--repeat", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("JSON: 2 lines, 0 findings\nkeys: 2 records, 0 findings\n")
    assert f"repeated  {FAMILY}  {digits[1]['key']}  the same histories. " in said
    assert said.endswith("repeated: 1 runs; largest difference: none\n")
    [record] = read_table(table)
    write_table(table, [changed(record, "history", train_mse=[0.5, 0.5])])
    assert main(["runs", "check", "--scale", "demo"]) == 1
    assert f"twins  {table}  {record['key']}  is not as its twin {digits[1]['key']}: train_mse by up to" in (
        capsys.readouterr().out
    )
