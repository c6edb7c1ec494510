"""The trainer against a plain training loop of one model with torch's own layers."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from entropy_guidance import EntropyGuidance
from replication import small_cnn
from replication.small_cnn.geometry import anchor
from replication.small_cnn.training import train as trainer

CPU = torch.device("cpu")


class Rows(nn.Module):
    """Flatten row by row with the filters of a pixel side by side, as Keras does."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def plain_training(run, images):
    """One classifier, the ordinary way: nn.Conv2d, nn.LeakyReLU, nn.MaxPool2d, EntropyGuidance. Histories."""
    dtype = getattr(torch, run["precision"])
    x, v = (t.to(dtype) / 255 for t in (images.train_images, images.validation_images))
    y, w = images.train_labels.long(), images.validation_labels.long()
    generator = torch.Generator().manual_seed(run.seed("weights"))
    layers, channels, side = [], x.shape[1], x.shape[2]
    for _ in range(run["blocks"]):
        layers += [nn.Conv2d(channels, run["width"], 3, padding=run["padding"]), nn.LeakyReLU(run["negative_slope"])]
        layers += [nn.MaxPool2d(2)]
        channels, side = run["width"], (side - 2 * (run["padding"] == "valid")) // 2
    model = nn.Sequential(*layers, Rows(), nn.Linear(channels * side**2, 10))
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            fan = math.prod(layer.weight.shape[2:]) * (layer.weight.shape[0] + layer.weight.shape[1])
            nn.init.uniform_(layer.weight, -math.sqrt(6 / fan), math.sqrt(6 / fan), generator=generator)
            nn.init.zeros_(layer.bias)
    model.to(dtype)
    kernels = {str(3 * k): run["lambda"] for k in range(run["blocks"] if run["placement"] == "all" else 1)}

    def guidance():
        if run["form"] == "decay":
            return sum(run["lambda"] * model[int(name)].weight.square().sum() for name in kernels)
        if run["lambda"] == 0:
            return torch.zeros((), dtype=dtype)
        own = {"form": run["form"], "epsilon": run["epsilon"], "anchor": anchor(run), "image_size": (8, 8)}
        own |= {"floor": 0.0}
        return EntropyGuidance(model, kernels, **own)()

    optimizer = torch.optim.Adam(model.parameters(), lr=run["learning_rate"], eps=1e-7)
    order = torch.Generator().manual_seed(run.seed("order"))
    history = {name: [] for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")}
    for _ in range(run["epochs"]):
        losses, right = 0.0, 0
        for batch in torch.randperm(len(x), generator=order).split(run["batch_size"]):
            optimizer.zero_grad()
            scores = model(x[batch])
            base = nn.functional.cross_entropy(scores, y[batch])
            (base + guidance()).backward()
            optimizer.step()
            losses += base.item() * len(batch)
            right += (scores.argmax(1) == y[batch]).sum().item()
        history["train_loss"].append(losses / len(x))
        history["train_accuracy"].append(right / len(x))
        with torch.no_grad():
            history["validation_loss"].append(nn.functional.cross_entropy(model(v), w).item())
            history["validation_accuracy"].append((model(v).argmax(1) == w).double().mean().item())
    history["anchor_weight"] = [model[0].weight[..., *anchor(run)].abs().mean().item()]
    history["first_layer_rms"] = [model[0].weight.square().mean().sqrt().item()]
    return history


def finished(runs, images, device=CPU):
    return {r["key"]: r for epoch in trainer.train(runs, images, device) for r in epoch.finished}


CASES = [
    {},
    {"lambda_": 0.01},
    {"lambda_": 0.01, "blocks": 2, "placement": "all", "padding": "same"},
    {"lambda_": -0.001, "form": "log", "blocks": 2, "negative_slope": 0.01},
    {"lambda_": 0.1, "anchor": "center"},
    {"lambda_": 0.1, "anchor": "random", "replicate": 3},
    {"lambda_": 0.1, "form": "decay", "blocks": 2},
    {"lambda_": 0.1, "form": "exact", "blocks": 2, "placement": "all"},
]


@pytest.mark.parametrize("changes", CASES)
def test_equals_the_plain_loop_to_1e_10(make_cnn_run, colours, monkeypatch, changes):
    monkeypatch.setattr(trainer, "CPU_PART", 10)  # parts of 10, 10 and 4 images
    monkeypatch.setattr(trainer, "make_record", lambda run, _, history, *__: {"key": run.key, **history})
    run = make_cnn_run(**changes)
    found, expected = finished([run], colours)[run.key], plain_training(run, colours)
    for name, values in expected.items():
        assert found[name][-len(values) :] == pytest.approx(values, rel=1e-10), name
    assert expected["train_loss"][-1] < expected["train_loss"][0]


def test_numbers_do_not_depend_on_the_stack(make_cnn_run, colours):
    """Different lambda, form, anchor, placement and seed in one stack: each as if alone."""
    runs = [
        make_cnn_run(**({"blocks": 2} | case | {"blocks": 2, "padding": "valid", "negative_slope": 0.3}))
        for case in CASES
    ]
    runs += [make_cnn_run(replicate=1, blocks=2)]
    assert len({trainer.stack_key(run) for run in runs}) == 1
    together = finished(runs, colours)
    for run in runs:
        alone = finished([run], colours)[run.key]
        assert together[run.key]["history"] == {
            name: pytest.approx(values, rel=1e-8) for name, values in alone["history"].items()
        }


def test_runs_that_differ_in_guidance_alone_share_weights_and_batches(make_cnn_run, colours):
    """A penalty without any slope leaves the trajectory of the unguided run."""
    free = make_cnn_run()
    records = finished([free], colours)
    record = records[free.key]
    assert record["metrics"].keys() == set(small_cnn.METRICS) and record["history"].keys() == set(small_cnn.HISTORIES)
    for changes in ({"anchor": "center"}, {"form": "decay"}, {"form": "exact"}, {"placement": "all"}):
        guided = make_cnn_run(lambda_=1e-300, **changes)
        assert guided.key != free.key
        history = finished([guided], colours)[guided.key]["history"]
        for name in ("train_loss", "validation_loss"):
            assert history[name] == records[free.key]["history"][name]
    other = make_cnn_run(replicate=1)
    assert finished([other], colours)[other.key]["history"] != records[free.key]["history"]


def test_guidance_moves_the_guided_weight(make_cnn_run, colours):
    free, corner, center = make_cnn_run(), make_cnn_run(lambda_=1.0), make_cnn_run(lambda_=1.0, anchor="center")
    records = {key: r["metrics"]["anchor_weight"] for key, r in finished([free, corner, center], colours).items()}
    assert min(records[corner.key], records[center.key]) > 1.5 * records[free.key]


def test_a_weight_of_zero_is_pulled_neither_way(make_cnn_run, colours):
    """Both penalties have a corner there; a NaN would end the training."""
    runs = [make_cnn_run(lambda_=0.1, form=form) for form in ("reciprocal", "log")]
    stack = trainer._Stack(runs, colours, CPU)
    kernels = stack.models.kernels[0]
    kernels.data[:, 0, 0, 0, 0] = 0
    for kind, rows in stack.guided.items():
        stack._add_penalty_gradient(*kind, rows)
    assert (kernels.grad[:, 0, 0, 0, 0] == 0).all()
    assert (kernels.grad[:, 1:, :, 0, 0] * kernels.detach()[:, 1:, :, 0, 0] < 0).all()


def test_float32_agrees_with_float64(make_cnn_run, colours):
    double, single = make_cnn_run(0.01), make_cnn_run(0.01, precision="float32")
    a = finished([double], colours)[double.key]["history"]["validation_loss"]
    b = finished([single], colours)[single.key]["history"]["validation_loss"]
    assert b == pytest.approx(a, rel=1e-3)


def test_ties_of_a_flat_image_give_the_plain_gradient(make_cnn_run, colours):
    """Large flat areas, as in MNIST: four equal numbers in a pool, of which one passes the gradient on."""
    flat = replace(colours, train_images=colours.train_images * (colours.train_images > 200))
    run = make_cnn_run(blocks=2)
    found = finished([run], flat)[run.key]["history"]["validation_loss"]
    assert found == pytest.approx(plain_training(run, flat)["validation_loss"], rel=1e-8)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize(("precision", "rel"), [("float64", 1e-6), ("float32", 1e-3)])  # float64 has its own kernels
def test_gpu_agrees_with_cpu(make_cnn_run, colours, precision, rel):
    cases = [(0.0, "none"), (0.01, "reciprocal"), (0.01, "exact")]
    runs = [make_cnn_run(lambda_, form=form, precision=precision) for lambda_, form in cases]
    assert trainer.stack_size(runs[0], colours, torch.device("cuda")) > 1
    gpu = finished(runs, colours, torch.device("cuda"))
    for key, record in finished(runs, colours).items():
        assert gpu[key]["history"]["validation_loss"] == pytest.approx(record["history"]["validation_loss"], rel=rel)


def test_a_record_tells_the_last_epoch_and_the_first_best_one(make_cnn_run, colours):
    stack = trainer._Stack([make_cnn_run()], colours, CPU)
    stack.histories = [{name: [0.1, 0.2, 0.3, 0.4] for name in trainer.HISTORIES}]
    stack.histories[0] |= {"validation_accuracy": [0.1, 0.6, 0.6, 0.5], "train_accuracy": [0.2, 0.3, 0.8, 0.7]}
    expected = {"validation_accuracy": 0.5, "train_accuracy": 0.7, "best_validation_accuracy": 0.6, "best_epoch": 2}
    assert stack._record(0)["metrics"] == expected | {"validation_loss": 0.4, "anchor_weight": 0.4}
