"""Table 1, the choice of lambda, C7, C8, H3 and H6 on made-up records whose answer is plain."""

import dataclasses
from statistics import stdev

import numpy as np
import pytest
from scipy import stats
from small_cnn_runs import corner_alone, counted, exact, frame, made, positions, strong, verdicts, with_grid
from statsmodels.stats.multitest import multipletests

from replication.core.runs import of_grid
from replication.small_cnn import grid
from replication.small_cnn.statistics import claims, placebos
from replication.statistics import power


def test_an_architecture_that_table_1_lacks_does_not_count(settings):
    """A user's own, with all of its runs: there is nothing published to decide about."""
    own = with_grid(settings, blocks=(1,), widths=(48,), smallest_replicates=10)
    records = made(own)
    assert len(claims.choices(frame(own, records))) == 1 and counted(own, records) == []


def test_table1_is_computed_as_the_paper_does(few, published):
    records = made(few, gain=lambda run: 0.01 if run["lambda"] == 0.1 and run["form"] == "reciprocal" else 0.0)
    row = claims.table1(frame(few, records), published).iloc[0]
    values = {
        lambda_: [
            r["metrics"]["validation_accuracy"]
            for r in records
            if r["run"]["blocks"] == 1
            and r["run"]["lambda"] == lambda_
            and r["run"]["replicate"] < 10
            and r["run"]["form"] in ("none", "reciprocal")
            and r["run"]["anchor"] in ("none", "corner")
        ]
        for lambda_ in (0.0, 0.1)
    }
    assert (row["n"], row["lambda"]) == (10, 0.1)
    assert row["gain"] == pytest.approx(np.mean(values[0.1]) - np.mean(values[0.0]))
    assert row["p"] == pytest.approx(stats.ttest_ind(values[0.1], values[0.0], alternative="greater").pvalue)
    assert (row["published_gain"], row["published_p"]) == (0.0052, 0.0035)


def test_training_gains_at_the_lambda_of_validation_and_best_epochs_at_their_own(few, published):
    records = made(few, gain=lambda run: 0.01 if run["lambda"] == 0.1 and run["form"] == "reciprocal" else 0.0)
    for record in records:
        if record["run"]["lambda"] == 1.0:
            record["metrics"]["train_accuracy"] += 0.2
            record["metrics"]["best_validation_accuracy"] += 0.1
    runs = frame(few, records)
    row = claims.table1(runs, published).iloc[0]
    means = runs[(runs["blocks"] == 1) & (runs["replicate"] < 10)].groupby("lambda").mean(numeric_only=True)
    train, peak = means["train_accuracy"], means["best_validation_accuracy"]
    assert row["lambda"] == 0.1 and row["train_gain"] == pytest.approx(train[0.1] - train[0.0])
    assert row["best_epoch_gain"] == pytest.approx(peak[1.0] - peak[0.0])


def test_gain_curves_by_hand(few):
    runs = frame(few, made(few))
    row = claims.gain_curves(runs).set_index(["blocks", "width", "lambda"]).loc[(1, 32, 0.1)]
    table = runs[runs["blocks"] == 1].pivot_table(index="replicate", columns="lambda", values="validation_accuracy")
    gains = (table[0.1] - table[0.0]).dropna()
    interval = stats.ttest_1samp(gains, 0).confidence_interval()
    # `made` gives training accuracy and the best epoch the same noise, and half of the last value to each epoch before
    last = [len(gains), gains.mean(), *interval, gains.mean(), gains.mean()]
    late = [0.6 * gains.mean(), *(0.6 * end for end in interval), 1 / 0.6**2]
    assert row.tolist() == pytest.approx(last + late)


def test_the_mean_of_the_last_five_epochs(few):
    record = made(few)[0]
    for count in (15, 5, 3):
        accuracies = [0.1 * epoch**0.5 for epoch in range(count)]
        record["history"]["validation_accuracy"] = accuracies
        (row,) = grid.frame([record]).itertuples()
        assert row.late_validation_accuracy == pytest.approx(np.mean(accuracies[-5:]))
    assert list(grid.frame([])[grid.LATE]) == []


def test_what_the_replicates_could_detect(few):
    choice = counted(few, made(few))[0]
    assert choice.paired_sd == pytest.approx(stdev(choice.gains[choice.chosen]))
    assert choice.detectable == power.detectable_gain(choice.sd, 10, 0.05 / 6)
    assert choice.needed == power.replicates_needed(0.005, choice.sd, 0.05 / 6)


def test_architectures_count_with_ten_replicates_of_all_lambda(few):
    records = made(few)
    assert [c.architecture for c in counted(few, records)] == [(1, 32), (2, 32)]
    assert [c.n for c in counted(few, records)] == [10, 10]  # the smallest has twelve
    nine = [r for r in records if not (r["run"]["blocks"] == 2 and r["run"]["replicate"] == 4)]
    assert [c.architecture for c in counted(few, nine)] == [(1, 32)]
    late = [r for r in records if r["run"]["replicate"] > 0]  # eleven of the smallest, but not the first ten
    assert counted(few, late) == []
    short = [r for r in records if r["run"]["lambda"] != 10]
    assert counted(few, short) == []


def test_a_real_effect_of_the_corner(few):
    c7, h2, h3, h4 = verdicts(few, corner_alone)
    assert (c7.verdict, c7.control) == ("reproduced", "survives")
    assert (h2, h3, h4) == ("refuted", "refuted", "refuted")


def test_an_effect_at_any_position_does_not_survive(few):
    c7, h2, *_ = verdicts(few, strong)
    assert (c7.verdict, c7.control, h2) == ("reproduced", "does not survive", "supported")


def test_no_effect(few):
    c7, h2, h3, h4 = verdicts(few, lambda _: 0.0)
    assert (c7.verdict, c7.control) == ("not reproduced", "does not survive")
    assert (h2, h3, h4) == ("supported", "undecided", "refuted")  # without a gain there is none that a choice made


def test_a_gain_that_the_choice_makes(few, published):
    """Too small to be told from the best of six: the printed test takes it for significant."""
    tested = counted(few, made(few, gain=lambda run: 0.0018 * (run["lambda"] == 0.1)))
    assert all(c.p_printed < 0.05 < c.p_after for c in tested)
    assert claims.h3(tested, published)[0] == "supported"
    one = [tested[0], dataclasses.replace(tested[1], p_printed=0.2)]
    assert claims.h3(one, published)[0] == "undecided"


def test_h3_by_its_rule(few, published):
    two = counted(few, made(few))
    printed = published.set_index(["blocks", "width"])["delta_validation_accuracy"]

    def h3(*cases):
        """Of each architecture p printed, p after choice, and the share of the published gain that splits leave."""
        changed = [
            dataclasses.replace(
                choice,
                p_printed=p,
                p_after=after,
                split=dataclasses.replace(choice.split, gain=share * printed[choice.architecture]),
            )
            for choice, (p, after, share) in zip(two, cases, strict=True)
        ]
        return claims.h3(changed, published)[0]

    holds, made_by_choice, kept, nothing = (0.01, 0.01, 0.6), (0.01, 0.2, 0.1), (0.01, 0.2, 0.6), (0.5, 0.9, 0.0)
    assert h3(holds, holds) == h3(holds, nothing) == "refuted"
    assert h3(made_by_choice, made_by_choice) == "supported"
    assert h3(made_by_choice, nothing) == h3(kept, kept) == h3(nothing, nothing) == "undecided"


def test_half_of_the_architectures_are_enough_for_c7_and_its_control(few, published):
    records = made(few, gain=corner_alone)
    tested, rows = counted(few, records), claims.table1(frame(few, records), published)
    half = [dataclasses.replace(c, p_after=p) for c, p in zip(tested, (0.01, 0.5), strict=True)]
    found = claims.c7(rows.assign(p=[0.01, 0.5]), half, published, "refuted", corner_better=True)
    assert (found.verdict, found.control) == ("partly", "survives")


def test_a_more_harmful_corner_is_no_reason_for_a_gain(few):
    """H2 is refuted where the corner does more harm at another lambda; the gain is then not the corner's."""

    def gain(run):
        guided = run["form"] == "reciprocal"
        return strong(run) - 0.1 * (guided and run["lambda"] == 1 and run["anchor"] == "corner")

    c7, h2, h3, _ = verdicts(few, gain)
    assert (h2, h3, c7.control) == ("refuted", "refuted", "does not survive")


def test_the_highest_end_of_the_paired_intervals(few):
    choice = counted(few, made(few, gain=strong))[0]
    ends = [stats.ttest_1samp(choice.gains[x], 0).confidence_interval(1 - 0.05 / 6).high for x in choice.gains]
    assert choice.highest == pytest.approx(max(ends))


def test_what_the_choice_alone_makes(few):
    """Mean gain of the best of six lambda that have no effect, by simulation of runs that share most of their noise."""
    choice = counted(few, made(few))[0]
    chosen = choice.gains[choice.chosen]
    noise = np.random.default_rng(0)
    shared, own = noise.normal(0, 0.01, (20_000, 1, 10)), noise.normal(0, stdev(chosen) / 2**0.5, (20_000, 7, 10))
    accuracy = (shared + own).mean(axis=2)
    gains = accuracy[:, 1:].max(axis=1) - accuracy[:, 0]
    assert choice.by_choice_alone == pytest.approx(gains.mean(), rel=0.02)


@pytest.mark.parametrize(
    ("gain", "expected"), [({}, "refuted"), ({1e-5: 0.02}, "supported"), ({1e-6: 0.0052}, "supported")]
)
def test_h6_by_its_rule(few, gain, expected):
    assert h6(few, made(few, gain=lambda run: gain.get(run["lambda"], 0.0)))[0] == expected


def test_h6_needs_ten_pairs_at_both_lambdas_and_little_noise(few):
    records = made(few)
    cell = [r for r in records if r["run"]["lambda"] == 1e-6]
    assert len(cell) == 10
    assert h6(few, [r for r in records if r is not cell[3]])[0] == "undecided"
    assert h6(few, [r for r in records if r["run"]["lambda"] != 1e-6])[0] == "undecided"
    assert h6(few, made(few, sd=0.02))[0] == "undecided"


def test_intervals_of_h6_are_corrected_for_its_two_lambdas(few):
    records = made(few)
    accuracy = {
        (r["run"]["lambda"], r["run"]["replicate"]): r["metrics"]["validation_accuracy"]
        for r in records
        if r["run"]["blocks"] == 1
    }
    for lambda_ in (1e-6, 1e-5):
        gain = [accuracy[lambda_, k] - accuracy[0.0, k] for k in range(10)]
        low, high = stats.ttest_1samp(gain, 0).confidence_interval(0.975)
        said = f"lambda {lambda_:g}: {np.mean(gain):+.4f} ({low:+.4f} to {high:+.4f}, n = 10)"
        assert said in h6(few, records)[1]


def h6(settings, records):
    wanted = grid.paper_grid(settings, "first") + grid.weaker(settings)
    return claims.h6(grid.frame(of_grid(records, wanted)), {1e-6, 1e-5}, 0.0052)


def test_c8_corrects_for_its_tests(few, few_mnist, published):
    all_layers, mnist = (
        [c for c in counted(settings, made(settings), placement) if c.architecture != (1, 32)]
        for settings, placement in ((few, "all"), (few_mnist, "first"))
    )
    two = [dataclasses.replace(all_layers[-1], p_after=0.03, train_p_after=0.5)] * 2
    first = part({"first": mnist}, planned=2)
    assert claims.c8(part({"all": two}), first, published).verdict == "reproduced"
    trained = [dataclasses.replace(all_layers[-1], p_after=0.5, train_p_after=0.001)]
    assert claims.c8(part({"all": trained}, planned=1), first, published).verdict == "partly"


@pytest.mark.parametrize("gain", [0.0, 0.001, 0.0015, 0.01])
def test_the_smallest_p_of_c8_is_holms(few, few_mnist, published, gain):
    """Beside Holm's procedure on every single test."""

    def at_ten(run):
        return gain * (run["lambda"] == 10)

    found = c8(few, few_mnist, published, at_ten)
    all_layers, mnist = (made(settings, at_ten) for settings in (few, few_mnist))
    choices = without_one_block(counted(few, all_layers, "all"), "all")
    after = multipletests([p for c in choices for p in (c.p_after, c.train_p_after)], method="holm")[1]
    pairs = [
        stats.ttest_1samp(c.gains[lambda_], 0).pvalue
        for placement in ("first", "all")
        for c in without_one_block(counted(few_mnist, mnist, placement), placement)
        for lambda_ in c.gains
    ]
    assert f"CIFAR-10, all layers: smallest p {min(after):.3f} of 2 tests" in found.evidence
    assert f"MNIST: smallest p {min(multipletests(pairs, method='holm')[1]):.3f} of 18 tests" in found.evidence


def test_equal_gains_on_mnist_are_no_difference(few, few_mnist, published):
    found = c8(few, few_mnist, published, sd=0)
    assert found.verdict == "reproduced" and "MNIST: smallest p 1.000 of 18 tests" in found.evidence


def test_either_placement_counts_for_c8(few, few_mnist, published):
    """A gain of MNIST's first layer is seen beside one of all layers without."""

    def gain(run):
        return 0.02 * (run["dataset"] == "mnist" and run["placement"] == "first" and run["lambda"] == 10)

    found = c8(few, few_mnist, published, gain)
    assert (found.verdict, found.control) == ("partly", "inconclusive")
    assert "MNIST, first layer, 2 x 32: +0.02" in found.control_evidence


def c8(cifar10, mnist, published, gain=lambda _: 0.0, sd=0.002):
    """With all runs of both families."""
    parts = []
    for settings, placements in ((cifar10, ["all"]), (mnist, ["first", "all"])):
        records = made(settings, gain, sd)
        found = {p: without_one_block(counted(settings, records, p), p) for p in placements}
        parts.append(part(found, planned=sum(map(len, found.values()))))
    return claims.c8(*parts, published)


def part(choices, *, started=True, planned=3):
    """What C8 asks of a data set where these choices, by placement, count."""
    return claims.Part(started, claims.c8_tests(choices), planned)


def without_one_block(tested, placement):
    """In a network of one block all layers are the first."""
    return [c for c in tested if placement == "first" or c.architecture != (1, 32)]


def test_training_accuracy_is_tested_at_its_own_best_lambda(few):
    records = made(few)
    for record in records:
        if record["run"]["lambda"] == 1.0:
            record["metrics"]["train_accuracy"] += 0.01
    choice = counted(few, records)[0]
    assert choice.train_p_after < 0.001 < choice.p_after


def test_a_harmful_lambda_hides_no_gain(few, few_mnist, published):
    """Half of the gain's reason to count is that it is more than a choice; another lambda's harm is no part of that."""

    def gain(run):
        return corner_alone(run) - 0.05 * (run["lambda"] == 10)

    c7, h2, h3, _ = verdicts(few, gain)
    assert (c7.control, h2, h3) == ("survives", "refuted", "refuted")
    assert all(c.shuffled.p > 0.05 > c.p_after for c in counted(few, made(few, gain=gain)))

    def everywhere(run):
        return 0.01 * (0 < run["lambda"] < 10) - 0.05 * (run["lambda"] == 10)

    assert c8(few, few_mnist, published, everywhere).verdict == "not reproduced"


def test_an_undecided_placebo_leaves_the_control_open(few, published):
    records = made(few, gain=corner_alone)
    tested, rows = counted(few, records), claims.table1(frame(few, records), published)
    controls = {
        h2: claims.c7(rows, tested, published, h2, corner_better=False).control for h2 in ("undecided", "supported")
    }
    assert controls == {"undecided": "inconclusive", "supported": "does not survive"}


def test_noise_is_no_support_for_h3(few, published):
    """Where noise lets through neither a gain nor half of the published one's absence."""
    tested = counted(few, made(few, sd=0.02))
    assert claims.h3(tested, published)[0] == "undecided"


def test_all_nine_reproduce(settings, nine):
    c7, *_ = verdicts(settings, corner_alone)
    assert len(nine) == 9 and c7.verdict == "reproduced" and c7.control == "survives"


def test_too_few_runs_decide_nothing(few, published):
    records = [r for r in made(few, gain=strong) if r["run"]["replicate"] < 9]
    rows = claims.table1(frame(few, records), published)
    c7 = claims.c7(rows, counted(few, records), published, "undecided", corner_better=False)
    assert (c7.verdict, c7.control) == ("inconclusive", "not tested")
    assert placebos.h2(positions(records, few), 0.005)[0] == "undecided"
    assert placebos.h4(exact(records, few), 0.005)[0] == "undecided"
    assert claims.h3([], published)[0] == "undecided"
    none = claims.c7(rows.iloc[:0], [], published, "undecided", corner_better=False)
    assert none.verdict == "not tested"
    assert placebos.gains([], few).empty


@pytest.mark.parametrize(
    ("gain", "sd", "expected"),
    [
        (lambda _: 0.0, 0.002, ("reproduced", "survives")),
        (lambda _: 0.0, 0.02, ("reproduced", "inconclusive")),
        (lambda run: 0.01 * (run["dataset"] == "mnist" and run["lambda"] > 0), 0.002, ("partly", "inconclusive")),
        (lambda run: -0.01 * (run["lambda"] == 10), 0.002, ("partly", "survives")),  # a difference, and no gain
        (lambda run: 0.01 * (run["lambda"] > 0), 0.002, ("not reproduced", "inconclusive")),
    ],
)
def test_c8(both, published, gain, sd, expected):
    all_layers, mnist = (
        part({placement: without_one_block(counted(settings, made(settings, gain, sd), placement), "all")}, planned=2)
        for settings, placement in zip(both, ("all", "first"), strict=True)
    )
    found = claims.c8(all_layers, mnist, published)
    assert (found.verdict, found.control) == expected
    none = part({"all": []}, started=False)
    assert claims.c8(all_layers, part({"first": []}), published).verdict == "inconclusive"
    assert claims.c8(none, none, published).verdict == "not tested"
    found = claims.c8(none, mnist, published)
    assert found.verdict == "inconclusive"
    assert found.evidence == (
        "CIFAR-10, all layers: none of 3 placements and architectures have ten replicates at all seven lambda; "
        "MNIST: 1 of 2 placements and architectures have ten replicates at all seven lambda"
    )


def test_half_of_the_architectures_decide_c7(few, nine):
    """Of two architectures with a gain: a verdict where the table has up to four, words so far where it has more."""
    records = made(few, gain=corner_alone)
    tested, rows = counted(few, records), claims.table1(frame(few, records), nine)
    found = [claims.c7(rows, tested, nine.iloc[:size], "refuted", corner_better=True) for size in (4, 5)]
    assert [(one.verdict, one.control) for one in found] == [("reproduced", "survives"), ("inconclusive",) * 2]
    assert [one.so_far for one in found] == ["", "reproduced, 2 of 5 architectures"]
    assert found[1].control_so_far == "survives, 2 of 5 architectures"


@pytest.mark.parametrize(("planned", "verdict"), [(2, "reproduced"), (3, "inconclusive")])
def test_half_of_each_part_decides_c8(both, published, planned, verdict):
    all_layers, mnist = (
        part({name: without_one_block(counted(settings, made(settings), name), "all")}, planned=size)
        for settings, name, size in zip(both, ("all", "first"), (1, planned), strict=True)
    )
    assert claims.c8(all_layers, mnist, published).verdict == verdict
