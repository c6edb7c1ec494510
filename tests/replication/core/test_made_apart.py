"""Of which pairs one can say that a difference is none of machines."""

from types import SimpleNamespace

from replication.core.made_apart import Pairs, made_apart
from replication.core.runs import make_record
from replication.report.section import runs_about

NEW = {"device": "cpu", "torch": "2.12.1", "processor": "A", "threads": "1"}


def record(run, **environment):
    return make_record(run, {}, {}, 1, NEW | environment)


def test_pairs_are_counted_by_where_they_were_made(make_run):
    here = [record(make_run(replicate=k)) for k in range(5)]
    alike = record(make_run(0.1))
    apart = [
        record(make_run(0.1, replicate=k), **other)
        for k, other in enumerate(({"processor": "B"}, {"threads": "2"}, {"torch": "2.11"}), 1)
    ]
    assert made_apart([*here, alike, *apart]) == Pairs(4, 3, 0)
    assert made_apart([alike, *here, record(make_run(1.0, form="log", monitor="base"))]) == Pairs(2, 0, 0)
    old = make_record(make_run(0.1, replicate=4), {}, {}, 1, {"torch": "2.12.1"})
    older = make_record(make_run(1.0, replicate=4), {}, {}, 1, {"torch": "2.11"})
    assert made_apart([*here, old, older]) == Pairs(2, 1, 1)


def test_a_run_without_its_unguided_one_is_no_pair(make_run):
    alone = [
        record(make_run(0.1, replicate=7)),
        record(make_run(0.1, precision="float32")),
        record(make_run(0.1, width=6)),
    ]
    assert made_apart([record(make_run()), *alone]) == Pairs(0, 0, 0)


def test_the_report_says_so_in_a_sentence(make_run):
    runs = [
        record(make_run()),
        record(make_run(0.1), threads="4"),
        make_record(make_run(1.0), {}, {}, 1, {"device": "cpu", "torch": "2.12.1"}),
    ]
    assert about(runs).endswith(
        " 2 guided runs stand beside the unguided run of their seed; 1 of these pairs are known to come from different "
        "processors, numbers of threads or torch versions (not recorded: 1)."
    )
    assert "guided" not in about(runs[:1]) and "guided" not in about([])


def about(records):
    return runs_about(SimpleNamespace(scale="paper", name="f", records=records, planned=len(records)))
