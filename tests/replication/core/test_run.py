from pathlib import Path

import pytest

from replication.autoencoder import grid
from replication.autoencoder.settings import read
from replication.core import run as run_module
from replication.core.run import Run, unique
from replication.core.runs import make_record
from replication.core.settings import load

PARAMS = Path(__file__).parents[3] / "params.yaml"


def record_of(run):
    return make_record(run, {"stopping_epoch": 2}, {"validation_mse": [0.1, 1 / 3]}, 1.5, {"device": "cpu"})


def test_the_key_depends_on_every_setting_and_the_version(make_run, monkeypatch):
    run = make_run()
    variants = [
        make_run(**{name: "x" if isinstance(value, str) else value + 1})
        for name, value in run.settings.items()
        if name not in ("lambda", "form", "epsilon", "monitor")
    ]
    keys = {run.key, make_run(lambda_=0.1).key, *(variant.key for variant in variants)}
    assert len(keys) == len(variants) + 2
    assert make_run().key == run.key
    monkeypatch.setattr(run_module, "TRAINING_VERSION", run_module.TRAINING_VERSION + 1)
    assert make_run().key not in keys


def test_runs_are_equal_exactly_if_their_keys_are(make_run):
    """Python takes 1, 1.0 and True for equal, JSON and the key do not."""
    runs_ = [make_run(patience=value) for value in (1, 1.0, True)]
    assert make_run() == make_run() and len({make_run(), make_run()}) == 1
    assert len({run.key for run in runs_}) == len(set(runs_)) == 3
    assert all((a == b) == (a is b) for a in runs_ for b in runs_)
    assert make_run() != make_run().key and runs_[0] not in runs_[1:]


def test_unique_keeps_the_first_of_each_in_order(make_run):
    a, b = make_run(), make_run(lambda_=0.1)
    assert unique(iter([b, a, b, make_run()])) == [b, a]


def test_keys_are_stable_over_releases(make_run):
    """A changed key orphans every committed run: change it only together with TRAINING_VERSION."""
    assert make_run().key == "8ecaf9f4ac7b5a86"


def test_seeds_are_paired_over_guidance_and_differ_otherwise(make_run):
    run = make_run()
    guidance = ("form", "epsilon", "placement", "layers", "anchor", "reduction", "monitor", "precision")
    for name in (*guidance, "patience", "min_delta", "max_epochs", "epochs", "lambda"):
        assert make_run(**{name: "other"}).seed("weights") == run.seed("weights"), name
    for name in ("dataset", "width", "replicate"):
        assert make_run(**{name: "other"}).seed("weights") != run.seed("weights"), name
    assert Run("another", run.settings).seed("weights") != run.seed("weights")
    assert run.seed("weights") != run.seed("order")


@pytest.mark.parametrize("changes", [{"form": "log"}, {"monitor": "base"}, {"epsilon": 0.1}])
def test_unguided_runs_are_shared_between_variants(changes):
    settings = read(load("paper", PARAMS), "autoencoder-mnist")

    def key(lambda_, **changes):
        return grid.make_run(settings, 100, lambda_, 0, **changes).key

    assert key(0.0, **changes) == key(0.0) and key(1.0, **changes) != key(1.0)
