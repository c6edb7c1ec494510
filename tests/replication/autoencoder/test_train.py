"""The stack against a plain training loop of one model with torch's own layers and determinant."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from replication import autoencoder
from replication.autoencoder.training import train as trainer
from replication.autoencoder.training.penalised import penalised_change
from replication.core.errors import UserError
from replication.core.run import Run
from replication.core.runs import read_table
from replication.data import mnist
from replication.data.images import pixels
from replication.training.stopping import stopping_epoch

CPU = torch.device("cpu")
DATA = Path(__file__).parents[3] / "data"


def plain_training(run, images):
    """One autoencoder, the ordinary way: nn.Linear, nn.MSELoss, torch.optim.Adam, det by torch.linalg.det."""
    dtype = getattr(torch, run["precision"])
    x = images.train_images.flatten(1).to(dtype) / 255
    v = images.validation_images.flatten(1).to(dtype) / 255
    generator = torch.Generator().manual_seed(run.seed("weights"))
    model = nn.Sequential(nn.Linear(16, run["width"]), nn.Sigmoid(), nn.Linear(run["width"], 16), nn.Sigmoid())
    bound = math.sqrt(6 / (16 + run["width"]))
    for layer in (model[0], model[2]):
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        nn.init.zeros_(layer.bias)
    model.to(dtype)
    with torch.no_grad():
        model[0].weight *= run.settings.get("weight_factor", 1.0)
    if run["output_activation"] == "linear":
        model = model[:3]
    k = min(16, run["width"])

    def guidance():
        block = model[0].weight[:k, :k]
        if "inputs" in run.settings:
            block = torch.stack([model[0].weight[:, i] for i in by_hand(run["inputs"], run["width"], x)], dim=1)
        determinant = torch.linalg.det(block).abs()
        if run["form"] == "log":
            return -run["lambda"] * determinant.log()
        if run["form"] == "scale":
            weight = block if "inputs" in run.settings else model[0].weight
            return -run["lambda"] * k * (torch.linalg.matrix_norm(weight) / math.sqrt(k)).log()
        return run["lambda"] / (determinant + run["epsilon"]) if run["lambda"] else torch.zeros((), dtype=dtype)

    rate = run["learning_rate"] * run.settings.get("rate_factor", 1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, eps=1e-7)
    order = torch.Generator().manual_seed(run.seed("order"))
    mse, monitored = [], []
    for _ in range(run["max_epochs"]):
        for batch in torch.randperm(len(x), generator=order).split(run["batch_size"]):
            optimizer.zero_grad()
            (nn.functional.mse_loss(model(x[batch]), x[batch]) + guidance()).backward()
            optimizer.step()
        with torch.no_grad():
            mse.append(nn.functional.mse_loss(model(v), v).item())
            losses = [nn.functional.mse_loss(model(batch), batch) + guidance() for batch in v.split(run["batch_size"])]
            sizes = [len(batch) for batch in v.split(run["batch_size"])]
            mean = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / len(v)
            total = mse[-1] + guidance().item()
            monitored.append({"base": mse[-1], "total": total, "keras": mean.item()}[run["monitor"]])
        if stopping_epoch(monitored, run["patience"], run["min_delta"]):
            break
    return mse


def by_hand(inputs, width, x):
    """The guided inputs of images between 0 and 1, (N, I), sorted by Python."""
    columns = range(x.shape[1])
    if inputs == "most-variable":
        return sorted(columns, key=lambda i: -x[:, i].var().item())[:width]
    if inputs == "rarest":
        return sorted(columns, key=lambda i: (x[:, i] > 0).sum().item())[:width]
    if inputs == "dead-only":
        return [i for i in columns if (x[:, i] == 0).all()][:width]
    return [int(i) for i in inputs.split(",")]


def finished(runs, images, device):
    return [record for epoch in trainer.train(runs, images, device) for record in epoch.finished]


def train(runs, images):
    return {record["key"]: record for record in finished(runs, images, CPU)}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lambda_": 0.01},
        {"lambda_": -0.01, "form": "log"},
        {"lambda_": 0.1, "monitor": "base", "output_activation": "linear"},
        {"lambda_": 0.01, "monitor": "keras"},
        {"lambda_": 0.01, "form": "scale", "monitor": "base"},
        {"lambda_": 1.0, "width": 24},
        {"lambda_": 0.1, "form": "log", "inputs": "most-variable"},
        {"lambda_": 0.1, "form": "log", "inputs": "1,3,4,10,15"},
        {"lambda_": 0.01, "inputs": "1,3,4,10,15"},
        {"lambda_": 0.1, "form": "scale", "inputs": "most-variable"},
        {"rate_factor": 4.0},
        {"weight_factor": 3.0},
    ],
)
def test_equals_the_plain_loop(make_run, images, changes):
    """float64, to the nine digits that a record keeps."""
    run = make_run(**changes)
    record = train([run], images)[run.key]
    assert record["history"]["validation_mse"] == pytest.approx(plain_training(run, images), rel=1e-8)


def test_trajectory_to_1e_10(make_run, images, monkeypatch):
    monkeypatch.setattr(trainer, "make_record", lambda run, _, history, *__: {"key": run.key, **history})
    run = make_run(lambda_=0.01)
    [record] = finished([run], images, CPU)
    assert record["validation_mse"] == pytest.approx(plain_training(run, images), rel=1e-10)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lambda_": 0.1},
        {"lambda_": 0.1, "form": "log"},
        {"lambda_": 0.1, "form": "exact"},
        {"lambda_": 0.1, "form": "log", "inputs": "most-variable"},
        {"lambda_": 0.1, "form": "scale", "inputs": "1,3,4,10,15", "rate_factor": 2.0},
    ],
)
def test_autograd_and_the_written_gradient_agree(make_run, images, monkeypatch, changes):
    """Autograd is what a GPU trains with, the written-out gradient what a CPU does."""
    run = make_run(**changes)
    written = train([run], images)[run.key]["history"]
    monkeypatch.setattr(trainer, "Backpropagation", lambda *_: None)
    assert train([run], images)[run.key]["history"] == {
        name: pytest.approx(values, rel=1e-8) for name, values in written.items()
    }


@pytest.mark.parametrize("written", [True, False])
def test_numbers_do_not_depend_on_the_stack(make_run, images, monkeypatch, written):
    """Different lambda, form, seed, monitor and stopping epoch in one stack: each as if alone."""
    if not written:
        monkeypatch.setattr(trainer, "Backpropagation", lambda *_: None)
    runs = [
        make_run(max_epochs=20, min_delta=delta, replicate=replicate, lambda_=lambda_, **changes)
        for delta in (0.02,)
        for replicate in (0, 1)
        for lambda_, changes in [
            (0.0, {}),
            (0.1, {}),
            (10.0, {"monitor": "base"}),
            (0.1, {"form": "log"}),
            (0.1, {"form": "scale"}),
            (0.1, {"monitor": "keras"}),
        ]
    ]
    together = train(runs, images)
    epochs = set()
    for run in runs:
        alone = train([run], images)[run.key]
        assert together[run.key]["history"] == {
            name: values if written else pytest.approx(values, rel=1e-8) for name, values in alone["history"].items()
        }
        epochs.add(alone["metrics"]["stopping_epoch"])
    assert len(epochs) > 1  # models did leave the stack at different times


def test_float32_agrees_with_float64(make_run, images):
    """Six epochs of 24 steps: rounding of 6e-8 a step stays far below 1e-4 of the MSE."""
    double, single = make_run(), make_run(precision="float32")
    a = train([double], images)[double.key]["metrics"]["validation_mse"]
    b = train([single], images)[single.key]["metrics"]["validation_mse"]
    assert b == pytest.approx(a, rel=1e-4)


def test_paired_runs_share_weights_and_batches(make_run, images):
    """A penalty that underflows to a constant leaves the trajectory of the unguided run."""
    free, guided = make_run(), make_run(monitor="base", lambda_=1e-300)
    records = train([free, guided], images)
    assert records[free.key]["history"] == records[guided.key]["history"]


def test_a_large_constant_in_a_float32_loss_hides_improvement(make_run, images):
    """The mechanism of hypothesis H1: the monitored sum cannot move by less than its rounding step."""
    large = replace(
        images,
        train_images=images.train_images.repeat(1, 1, 3, 3),
        validation_images=images.validation_images.repeat(1, 1, 3, 3),
    )
    changes = {"precision": "float32", "max_epochs": 30, "learning_rate": 1e-4, "width": 144, "epsilon": 1e-7}
    total, base, free = (
        make_run(lambda_=10.0, **changes),
        make_run(lambda_=10.0, monitor="base", **changes),
        make_run(**changes),
    )
    records = train([total, base, free], large)
    # |det| of the 144 x 144 square part lies so far below epsilon that the penalty is the constant lambda / epsilon
    assert records[free.key]["metrics"]["entropy_change"] < math.log(1e-7) - 40
    assert records[total.key]["metrics"]["stopping_epoch"] == 4  # patience + 1: no epoch seemed to improve
    assert records[base.key]["metrics"]["stopping_epoch"] == 30
    assert records[base.key]["history"] == records[free.key]["history"]


def test_the_running_mean_is_summed_up_in_float32(make_run, images):
    """Batch by batch, as keras.metrics.Mean does: coarser than float32(MSE) + float32(penalty)."""
    run = make_run(precision="float32", monitor="keras")
    stack = trainer._Stack([run], images, CPU)
    v = pixels(images.validation_images).float() / 255
    y = stack.models.reconstruct(v[None], run["output_activation"])[0].detach()
    coarser = []
    for penalty in (1e3, 1e4, 1e5):
        total = np.float32(0)
        for ours, theirs in zip(y.split(run["batch_size"]), v.split(run["batch_size"]), strict=True):
            loss = np.float32(nn.functional.mse_loss(ours, theirs).item()) + np.float32(penalty)
            total += loss * np.float32(len(ours))
        penalty_1 = torch.tensor([penalty])
        found = stack._running_mean(penalty_1).item()
        assert found == total / np.float32(len(v))
        coarser.append(found != (stack._mse(stack.validation_VI) + penalty_1).item())
    assert any(coarser)


@pytest.mark.parametrize("inputs", ["dead-only", "rarest"])
def test_inputs_that_few_images_light(make_run, images, inputs):
    blank = images.train_images.clone()
    blank[:, :, 1, 1:] = blank[1:, :, 2] = 0  # three that are dead, four of a single image
    images, width = replace(images, train_images=blank), 3 if inputs == "dead-only" else 6
    run = make_run(0.1, form="log", inputs=inputs, width=width)
    record = train([run], images)[run.key]
    assert record["inputs"] == ([5, 6, 7] if inputs == "dead-only" else [5, 6, 7, 8, 9, 10])
    assert record["history"]["validation_mse"] == pytest.approx(plain_training(run, images), rel=1e-8)


def test_a_record_tells_the_guided_inputs_and_both_changes(make_run, images):
    run, plain = make_run(0.1, form="log", inputs="1,3,4,10,15"), make_run(0.1, form="log")
    assert run.seed("weights") == plain.seed("weights") and run.seed("order") == plain.seed("order")
    found, leading = train([run], images)[run.key], train([plain], images)[plain.key]
    assert found["inputs"] == [1, 3, 4, 10, 15] and "inputs" not in leading
    metrics, history = found["metrics"], found["history"]
    assert metrics["initial_entropy_change"] == leading["metrics"]["initial_entropy_change"]
    assert metrics["guided_entropy_change"] == pytest.approx(history["guided_entropy_change"][-1])
    assert len(history["guided_entropy_change"]) == len(history["entropy_change"])
    assert metrics["guided_entropy_change"] > metrics["initial_guided_entropy_change"] + 1
    assert history["entropy_change"] != history["guided_entropy_change"]
    same = make_run(0.1, form="log", inputs="0,1,2,3,4")  # the leading ones by another name
    listed = train([same], images)[same.key]
    assert listed["history"]["validation_mse"] == pytest.approx(leading["history"]["validation_mse"], rel=1e-8)
    assert listed["history"]["guided_entropy_change"] == pytest.approx(listed["history"]["entropy_change"])


def test_inputs_that_are_not_there_are_refused_before_training(make_run, images):
    with pytest.raises(UserError, match="width 5 needs 5 guided inputs that are always zero"):
        trainer.stack_size(make_run(0.1, form="log", inputs="dead-only"), images, CPU)


def test_metrics_describe_the_history(make_run, images):
    run = make_run(lambda_=0.1)
    record = train([run], images)[run.key]
    history, metrics = record["history"], record["metrics"]
    assert metrics.keys() == set(autoencoder.METRICS) and history.keys() == set(autoencoder.HISTORIES)
    assert metrics["stopping_epoch"] == len(history["validation_mse"]) == len(history["entropy_change"])
    assert metrics["validation_mse"] == pytest.approx(history["validation_mse"][-1])
    assert metrics["best_validation_mse"] == pytest.approx(min(history["validation_mse"]))


@pytest.mark.skipif(not (DATA / "raw" / "MNIST" / "raw").exists(), reason="MNIST is not under data/raw")
def test_a_committed_run_is_what_this_code_trains():
    """The first epochs of one; float32 keeps about seven digits of them on any machine. Else: TRAINING_VERSION."""
    records = read_table(DATA / "runs/paper/autoencoder-mnist.jsonl")
    record = next(r for r in records if (r["run"]["width"], r["run"]["lambda"]) == (100, 1.0))
    run = Run(record["family"], record["run"] | {"max_epochs": 2})
    assert run.seed("weights") == Run(record["family"], record["run"]).seed("weights")
    history = train([run], mnist.read(DATA / "raw"))[run.key]["history"]["validation_mse"]
    assert history == pytest.approx(record["history"]["validation_mse"][:2], rel=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize(("width", "replicates"), [(5, 1), (20, 12), (144, 10)])
def test_gpu_agrees_with_cpu(width, replicates, make_run, images):
    """Up to large stacks, of which one model after another stops: each time another graph is captured."""
    large = replace(
        images,
        train_images=images.train_images.repeat(1, 1, 3, 3),
        validation_images=images.validation_images.repeat(1, 1, 3, 3),
    )
    runs = [
        make_run(width=width, lambda_=lambda_, replicate=k, form=form if lambda_ else "none", max_epochs=30)
        for form, lambda_ in (("none", 0.0), ("reciprocal", 0.01), ("exact", 1e-4))
        for k in range(replicates)
    ]
    gpu = {r["key"]: r for r in finished(runs, large, torch.device("cuda"))}
    for key, record in train(runs, large).items():
        assert gpu[key]["history"]["validation_mse"] == pytest.approx(record["history"]["validation_mse"], rel=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_gpu_agrees_with_cpu_in_float32(make_run, images):
    """A constant penalty hides all improvements of two runs, which stop early: another graph for the others."""
    large = replace(
        images,
        train_images=images.train_images.repeat(1, 1, 3, 3),
        validation_images=images.validation_images.repeat(1, 1, 3, 3),
    )
    cases = [("none", 0.0), ("log", 1e-4), ("exact", 1e-4), ("reciprocal", 1e6)]
    runs = [
        make_run(width=144, lambda_=lambda_, replicate=k, form=form, precision="float32", max_epochs=8)
        for form, lambda_ in cases
        for k in range(2)
    ]
    gpu = {r["key"]: r["history"]["validation_mse"] for r in finished(runs, large, torch.device("cuda"))}
    assert sorted(map(len, gpu.values())) == [4] * 2 + [8] * 6
    for key, record in train(runs, large).items():
        assert gpu[key] == pytest.approx(record["history"]["validation_mse"], rel=1e-4)


def test_a_small_batch_of_determinants_is_filled_up():
    weights = torch.randn(4, 6, 9, dtype=torch.float64, requires_grad=True)
    rows = torch.tensor([2])
    plain, filled = penalised_change("log", weights[rows]), trainer._batched_change("log", weights, rows)
    assert torch.equal(plain, filled)
    assert torch.equal(*(torch.autograd.grad(change.sum(), weights)[0] for change in (plain, filled)))


def test_a_record_tells_the_best_epoch_and_what_ended_training(make_run):
    for patience, stopped in ((2, 1), (3, 0)):  # early stopping in the very last epoch is early stopping
        replica = trainer._Replica(make_run(patience=patience, max_epochs=4), 0.0)
        ended = [replica.end_epoch(mse, mse, 0.0, mse) for mse in (0.5, 0.3, 0.4, 0.4)]
        metrics = replica.record({})["metrics"]
        assert ended == [False, False, False, True]
        assert (metrics["best_epoch"], metrics["best_validation_mse"], metrics["stopped_early"]) == (2, 0.3, stopped)


def test_an_epoch_without_a_number_is_not_the_best(make_run):
    replica = trainer._Replica(make_run(max_epochs=3), 0.0)
    for mse in (float("nan"), 0.3, 0.4):
        replica.end_epoch(mse, mse, 0.0, mse)
    metrics = replica.record({})["metrics"]
    assert (metrics["best_epoch"], metrics["best_validation_mse"]) == (2, 0.3)
