"""`--live` where nothing shows curves, and what trainers tell of an epoch. tests/peers has it with the real DVCLive."""

import subprocess
import sys

import pytest
import torch

from replication.autoencoder.training import train as autoencoder
from replication.core import live
from replication.core.errors import UserError
from replication.core.live import Curves, name_of
from replication.core.run import Run


def test_who_lacks_dvclive_is_told_before_anything_is_trained(monkeypatch, tmp_path):
    monkeypatch.setattr(live, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"--live needs dvclive.*pip install -e '\.\[live\]'"):
        Curves(tmp_path / "live", [])
    assert not (tmp_path / "live").exists()


def test_nothing_of_it_is_imported_without_the_option():
    code = "import sys, replication.core.sweep; sys.exit(any(m in sys.modules for m in ('dvclive', 'tensorboard')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_runs_of_a_family_have_folders_of_their_own():
    settings = {"width": 60, "lambda": 0.01, "form": "log", "replicate": 3, "layers": "1,2", "precision": "float32"}
    one = Run("autoencoder-mnist", settings)
    other = Run("autoencoder-mnist", settings | {"precision": "float64"})
    assert name_of(one) == f"width=60_form=log_lambda=0.01_layers=1-2_replicate=3_{one.key[:8]}"
    assert name_of(one) != name_of(other)


def test_an_epoch_tells_the_last_values_of_all_that_were_in_it(make_run, images):
    runs = [make_run(), make_run(0.01)]
    epochs = list(autoencoder.train(runs, images, torch.device("cpu")))
    for record in (record for epoch in epochs for record in epoch.finished):
        told = [epoch.curves[record["key"]] for epoch in epochs if record["key"] in epoch.curves]
        for name, values in record["history"].items():
            assert [row[name] for row in told] == pytest.approx(values, rel=1e-8)
