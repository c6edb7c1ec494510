"""H12 to H14 and C6's second line on made-up records whose answer is plain."""

import pandas as pd
import pytest
from autoencoder_runs import falling
from scipy import stats

from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.autoencoder.statistics import added, claims, pairs
from replication.core.runs import make_record
from replication.core.settings import load


@pytest.fixture(scope="module")
def settings():
    return read(load("paper"), "autoencoder-cifar10")


def planned(settings):
    """The runs of the added variants, and the unguided ones of their widths."""
    variants = grid.variants(settings)
    runs = [run for name in (added.AGAIN, added.NORM_AGAIN, added.WEAKER, *added.UNSTOPPED) for run in variants[name]]
    unguided = [run for run in grid.paper_grid(settings) if run["lambda"] == 0 and run["width"] in (60, 100, 260)]
    return runs + unguided


def made(runs, speed):
    """A record for each run, whose MSE falls `speed(run)` times as fast as without guidance."""
    records = []
    for run in runs:
        wobble = 1 + 1e-2 * ((run["replicate"] * 7) % 10 + run["width"] / 100)
        mse = [falling((speed(run) if run["lambda"] else 1.0) * wobble * epoch) for epoch in range(1, 46)]
        history = {"validation_mse": mse, "entropy_change": [-100.0] * 45}
        metrics = {
            "stopping_epoch": 45,
            "stopped_early": 1,
            "validation_mse": mse[-1],
            "initial_entropy_change": -100.0,
        }
        records.append(make_record(run, metrics, history, 1, {}))
    return records


def verdicts(settings, records):
    found = added.tables(records, settings, pd.DataFrame(columns=["width", "lambda", "replicate", "stopping_epoch"]))
    return {name: verdict for name, (verdict, _) in added.decided(found, settings).items()}, found


@pytest.mark.parametrize(
    ("speed", "expected"),
    [
        (2.0, {"H12": "supported", "H13": "supported", "H14": "refuted"}),
        (1.0, {"H12": "refuted", "H13": "refuted", "H14": "refuted"}),
        (0.5, {"H12": "refuted", "H13": "refuted", "H14": "supported"}),
    ],
)
def test_sooner_alike_and_later(settings, speed, expected):
    found, tables = verdicts(settings, made(planned(settings), lambda _: speed))
    assert found == expected
    again = tables[added.AGAIN].set_index(["variant", "seeds"])
    assert again.loc[(added.AGAIN, "5 to 9"), "n"] == 5 and again.loc[(added.NORM_AGAIN, "0 to 9"), "n"] == 10


def test_each_is_decided_by_its_own_runs(settings):
    """Sooner in H4's seeds, at the larger of the weak lambda and one width, and slower in the log form alone."""

    def speed(run):
        if run["patience"] == 60:
            return 0.5 if run["form"] == "log" else 1.0
        if run["lambda"] == 1e-4:
            return 2.0 if run["replicate"] < 5 else 1.0
        return 2.0 if (run["lambda"], run["width"]) == (1e-5, 60) else 1.0

    records = made(planned(settings), speed)
    assert verdicts(settings, records)[0] == {"H12": "refuted", "H13": "supported", "H14": "partly"}
    few = [r for r in records if r["run"]["replicate"] not in (2, 9)]
    assert verdicts(settings, few)[0] == {"H12": "undecided", "H13": "undecided", "H14": "undecided"}
    assert verdicts(settings, [])[0] == {"H12": "undecided", "H13": "undecided", "H14": "undecided"}


def test_h13s_intervals_are_corrected_over_six_cells(settings):
    records = made(planned(settings), lambda run: 1.5 if run["replicate"] % 2 else 1.0)
    table = verdicts(settings, records)[1][added.WEAKER]
    assert len(table) == 6
    by_hand = pairs.frame(pairs.pair_up("x", grid.variants(settings)[added.WEAKER], records, settings))
    one = by_hand[(by_hand["width"] == 100) & (by_hand["lambda"] == 1e-5)]
    interval = stats.ttest_1samp(one["epochs_to_target"] - one["unguided_to_target"], 0).confidence_interval(
        1 - 0.05 / 6
    )
    row = table[(table["width"] == 100) & (table["lambda"] == 1e-5)].iloc[0]
    assert (row["low"], row["high"]) == pytest.approx(tuple(interval))


def test_the_variants_stand_in_no_table_of_the_grids(settings):
    assert not {*pairs.plan(settings)} & {added.AGAIN, added.NORM_AGAIN, added.WEAKER, *added.UNSTOPPED}
    mnist = read(load("paper"), "autoencoder-mnist")
    assert added.AGAIN not in grid.variants(mnist) and added.WEAKER in grid.variants(mnist)
    assert {run["lambda"] for run in grid.variants(mnist)[added.WEAKER]} == {1e-6, 1e-5}


def seeds(excess, count=10):
    """Stopping epochs of three widths: 40 + the seed without guidance, half of it + excess(width) with it."""
    return pd.DataFrame(
        [
            {"width": width, "lambda": lambda_, "replicate": seed, "stopping_epoch": epochs}
            for width in added.WIDTHS
            for seed in range(count)
            for lambda_, epochs in ((0.0, 40 + seed), (0.01, (40 + seed) / 2 + excess(width) + seed % 2))
        ]
    )


def test_ten_seeds_decide_the_clause_on_one_lambda():
    for excess, word in (
        (lambda _: -3, "holds"),
        (lambda width: 3 if width == 260 else -3, "fails"),
        (lambda _: -0.5, "is open"),
    ):
        found = added.ten_seeds(seeds(excess))
        assert found["n"].tolist() == [10, 10, 10] and f"lambda 0.01 {word}:" in added.clause(found)
    assert found["excess"].tolist() == pytest.approx([0, 0, 0])
    interval = stats.ttest_1samp([-0.5, 0.5] * 5, 0).confidence_interval()
    assert (found["low"].iloc[0], found["high"].iloc[0]) == pytest.approx(tuple(interval))
    assert "is open" in added.clause(added.ten_seeds(seeds(lambda _: -3)).iloc[:2])
    assert added.clause(added.ten_seeds(seeds(lambda _: -3, count=9))) == ""


def test_c6_stands_on_five_seeds_however_many_there_are(settings):
    mnist = read(load("paper"), "autoencoder-mnist")
    runs = seeds(lambda _: 0)
    assert sorted(set(claims.deciding(runs, settings)["replicate"])) == [0, 1, 2, 3, 4]
    assert len(claims.deciding(runs, mnist)) == len(runs)
