"""In which order a campaign trains: the rule, clause by clause."""

import pytest

from replication.core import campaign
from replication.core.campaign import Need, Times, Wanted, blocks, rows, wanted
from replication.core.run import Run

SECONDS = {"small": 10.0, "wide": 100.0, "huge": 5000.0}
EPOCHS = {"huge": 50.0}
UNKNOWN = "unknown"


def run(family="toy", network="small", replicate=0, lambda_=0.0):
    return Run(family, {"network": network, "replicate": replicate, "lambda": lambda_})


TIMES = Times(
    whole=lambda run: SECONDS.get(run["network"]),
    clock=lambda run: SECONDS.get(run["network"]),
    epoch=lambda run: EPOCHS.get(run["network"], SECONDS.get(run["network"])),
    resumes=lambda run: run["network"] == "huge",
)


def why(need=Need.CLAIM, by=("C1",)):
    return lambda _: Wanted(need, by)


def order(*parts):
    """(family, network, replicate, lambda) of all runs in a campaign of 600 seconds. Parts: (grid, done, why)."""
    found = [
        row
        for grid, done, reason in parts
        for row in rows(grid, {r.key for r in grid} - {r.key for r in done}, reason, TIMES, 600)
    ]
    return [(r.family, r["network"], r["replicate"], r["lambda"]) for block in blocks(found) for r in block.runs]


def grid(family="toy", networks=("small",), replicates=(0,), lambdas=(0.0, 1.0)):
    return [run(family, n, k, lambda_) for n in networks for k in replicates for lambda_ in lambdas]


def test_claims_without_a_verdict_come_first_whatever_they_cost():
    needs = [Need.NONE, Need.CLAIM, Need.HYPOTHESIS_WITHOUT_VERDICT, Need.CLAIM_WITHOUT_VERDICT]
    networks = ["small", "small", "wide", "wide"]
    parts = [(grid(need.name, (n,)), [], why(need)) for need, n in zip(needs, networks, strict=True)]
    found = list(dict.fromkeys(family for family, *_ in order(*parts)))
    assert found == [need.name for need in sorted(needs)]


def test_a_replicate_is_completed_across_lambda_before_the_next_and_cheap_ones_come_first():
    assert order((grid(networks=("wide", "small"), replicates=(1, 0)), [], why())) == [
        ("toy", "small", 0, 0.0),
        ("toy", "small", 0, 1.0),
        ("toy", "wide", 0, 0.0),
        ("toy", "wide", 0, 1.0),
        ("toy", "small", 1, 0.0),
        ("toy", "small", 1, 1.0),
        ("toy", "wide", 1, 0.0),
        ("toy", "wide", 1, 1.0),
    ]


def test_what_was_begun_comes_before_lower_replicates():
    whole = grid(replicates=(0, 1))
    assert order((whole, [run(replicate=1)], why())) == [
        ("toy", "small", 1, 1.0),
        ("toy", "small", 0, 0.0),
        ("toy", "small", 0, 1.0),
    ]


def test_cheap_families_come_before_dear_ones():
    parts = [(grid("dear", ("wide",), (0, 1)), [], why()), (grid("cheap", replicates=(0, 1)), [], why())]
    assert [(family, k) for family, _, k, lambda_ in order(*parts) if not lambda_] == [
        ("cheap", 0),
        ("dear", 0),
        ("cheap", 1),
        ("dear", 1),
    ]


def test_what_can_only_be_brought_further_comes_last_and_what_cannot_even_is_left():
    parts = [(grid(networks=("huge", "wide", UNKNOWN), replicates=(0, 1)), [], why())]
    found = order(*parts)
    assert [network for _, network, *_ in found] == ["wide"] * 4 + ["huge"] * 4
    left = rows(parts[0][0], {r.key for r in parts[0][0]}, why(), TIMES, 600)
    assert {row.runs[0]["network"] for row in left if not row.startable} == {UNKNOWN}


@pytest.mark.parametrize(
    ("network", "left", "fits"),
    [
        ("small", 10 * campaign.MARGIN, True),
        ("small", 10 * campaign.MARGIN - 0.1, False),
        ("huge", 50 * campaign.MARGIN, True),  # an epoch of it, and a checkpoint
        ("huge", 50 * campaign.MARGIN - 0.1, False),
        (UNKNOWN, 1e9, False),
    ],
)
def test_nothing_is_begun_that_would_not_end(network, left, fits):
    assert TIMES.fits([run(network=network)], left) == fits


def test_a_stack_ends_together():
    pair = [run(lambda_=0.0), run(lambda_=1.0)]
    assert not TIMES.fits(pair, 15 * campaign.MARGIN) and TIMES.fits(pair, 20 * campaign.MARGIN)


def test_a_run_is_wanted_by_the_most_open_of_its_claims():
    first, second = run(), run(lambda_=1.0)
    needed = {"C1": {first.key}, "C2": {first.key, second.key}}
    verdicts = {"C1": "inconclusive", "C2": "reproduced"}
    assert wanted(first, needed, verdicts, {}) == Wanted(Need.CLAIM_WITHOUT_VERDICT, ("C1",))
    assert wanted(second, needed, verdicts, {}) == Wanted(Need.CLAIM, ("C2",))
    assert wanted(second, needed, verdicts, {"toy": ["H1"]}) == Wanted(Need.HYPOTHESIS_WITHOUT_VERDICT, ("H1",))
    assert wanted(second, needed, {}, {}).need is Need.CLAIM_WITHOUT_VERDICT  # no board yet
    assert wanted(second, {}, {}, {}) == Wanted(Need.NONE)
    stand_in = {"C2": "not tested (stand-in data, not comparable)"}
    assert wanted(second, needed, stand_in, {}).need is Need.CLAIM_WITHOUT_VERDICT


def test_a_block_names_all_its_claims_in_their_order():
    of_two = grid(lambdas=(0.0, 1.0))
    found = rows(
        of_two,
        {r.key for r in of_two},
        lambda r: Wanted(Need.CLAIM, ("C10", "C9") if r["lambda"] else ("C9",)),
        TIMES,
        600,
    )
    [block] = blocks(found)
    assert block.wanted.by == ("C9", "C10") and block.seconds == 20
