"""How much of a grid exists, and what the rest would take."""

from types import SimpleNamespace

from replication.core.missing import Coverage, coverage


def run(key, width):
    return SimpleNamespace(key=key, settings={"width": width, "lambda": 0.1})


def test_missing_hours_are_those_of_the_same_network():
    """Two missing runs of width 20 at the median of three, one of width 60, of which no run exists."""
    grid = [run(f"a{k}", 20) for k in range(5)] + [run("b", 60)]
    records = [{"key": f"a{k}", "run": {"width": 20}, "seconds": s} for k, s in enumerate((3600, 1800, 36_000))]
    family = SimpleNamespace(name="toy", grid=grid, records=records, planned=6)
    assert coverage(family) == Coverage("toy", 3, 6, 11.5, 2.0, 1)


def test_runs_that_cannot_be_described_yet_have_no_estimate():
    family = SimpleNamespace(name="toy", grid=[run("a", 20)], records=[], planned=4)
    assert coverage(family) == Coverage("toy", 0, 4, 0.0, 0.0, 4)
