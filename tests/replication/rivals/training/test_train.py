"""The trainer against a plain loop in float64, with torch's own layers and each form's step written out."""

import copy
import math
from typing import get_args

import pytest
import torch
from no_gpu import CUDA, META, built_with_values, device, fake_cuda, no_backward
from torch import nn
from torch.nn import functional as F

from entropy_guidance import exact_conv_entropy_change, renyi
from replication import rivals
from replication.core.run import Run
from replication.data.images import ImageSet
from replication.rivals.settings import FEEDBACKS, Form
from replication.rivals.training import measure, train
from replication.rivals.training.measure import Measurement
from replication.rivals.training.network import Network

CPU = torch.device("cpu")
BATCH, WINDOW = 24, 48


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(train, "IMAGES", 16)
    monkeypatch.setattr(measure, "PAIRS", 3)


@pytest.fixture
def colours() -> ImageSet:
    """192 + 40 images of 14 x 14, a pattern a class and noise: predictions become sure, so that feedback acts."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 192, (10, 3, 14, 14), generator=generator)

    def draw(count):
        labels = torch.randint(0, 10, (count,), generator=generator)
        noise = torch.randint(0, 64, (count, 3, 14, 14), generator=generator)
        return (patterns[labels] + noise).to(torch.uint8), labels.to(torch.uint8)

    return ImageSet(*draw(192), *draw(40))


def make_run(form="none", lambda_=0.0, **changes) -> Run:
    own = {"window": WINDOW} if form.startswith("feedback") else {}
    own |= {"bottleneck_width": 7} if form.endswith("bottleneck") else {}
    own |= {"epsilon": 1e-2, "anchor": "corner"} if form == "reciprocal" else {}
    settings = {"dataset": "small", "blocks": 1, "width": 5, "lambda": lambda_, "replicate": 0, "form": form}
    settings |= {"precision": "float64", "learning_rate": 0.03, "batch_size": BATCH, "padding": "valid"}
    return Run("rivals-test", settings | {"negative_slope": 0.3, "epochs": 5} | own | changes)


def finished(run, images):
    return list(train.train([run], images, CPU))[-1].finished[0]


class PlainFeedback:
    """C.1 of the published code's update, mended: loops over Python ints."""

    def __init__(self, kind, seed):
        self.kind, self.generator = kind, torch.Generator().manual_seed(seed)
        self.start()

    def start(self):
        self.source, self.target, self.before, self.lost = [], [], None, 0.0

    def __call__(self, weight, gradient, logits):
        source = logits.abs() >= 1.0
        if self.kind == "permuted":
            source = source[torch.randperm(len(source), generator=self.generator)]
        self.source = (self.source + source.int().tolist())[-WINDOW:]
        self.target = (self.target + (logits.softmax(1) >= 0.9).int().tolist())[-WINDOW:]
        if len(self.source) < WINDOW:
            return
        now = [
            [plain_bits([row[i] for row in self.source], [row[j] for row in self.target]) for j in range(10)]
            for i in range(10)
        ]
        now = torch.tensor(now, dtype=torch.float64)
        drop = now if self.before is None else (self.before - now).clamp(min=0)
        self.before = now
        drop[drop < 1e-8] = 0
        if self.kind == "diagonal":
            drop = drop.mean() * torch.eye(10, dtype=torch.float64)
        self.lost += drop.diagonal().mean().item()
        changed = gradient if self.kind == "gradient" else weight
        changed.copy_((torch.eye(10, dtype=torch.float64) - drop).T @ changed)


def plain_bits(source, target):
    cells = list(zip(target[1:], target[:-1], source[:-1], strict=True))
    bits = 0.0
    for k, i, j in cells:
        both = [cell for cell in cells if cell[1:] == (i, j)]
        alone = [cell for cell in cells if cell[1] == i]
        share = sum(cell[0] == k for cell in both) / len(both)
        bits += math.log2(share / (sum(cell[0] == k for cell in alone) / len(alone))) / len(cells)
    return bits


def entropy(logits):
    q = logits.softmax(1)
    return -(q * q.log()).sum(1).mean()


def plain_loss(run, model, logits, labels, kl):
    lambda_, base = run["lambda"], F.cross_entropy(logits, labels)
    kernel = model[0].weight
    uniform = -logits.log_softmax(1).mean()
    return {
        "penalty": lambda: base - lambda_ * entropy(logits),
        "smoothing": lambda: (1 - lambda_) * base + lambda_ * uniform,
        "bottleneck": lambda: base + lambda_ * kl.mean(),
        "reciprocal": lambda: base + (lambda_ / (kernel[..., 0, 0].abs() + run["epsilon"])).sum(),
        "exact": lambda: base - lambda_ * exact_conv_entropy_change(kernel, (8, 8)) / 64,
        "decay": lambda: base + lambda_ * kernel.square().sum(),
    }.get(run["form"], lambda: base)()


class Rows(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def plain_layers(run, shape):
    """Convolutions, dense layer and bottleneck of torch's own layers, with the trainer's initial weights."""
    initial = Network.initial(run, shape)
    convolutions = []
    for block in initial.blocks:
        layer = nn.Conv2d(*block.conv.weight.shape[1::-1], 3, dtype=torch.float64)
        layer.weight.data, layer.bias.data = block.conv.weight.data.clone(), block.bias.data.flatten().clone()
        convolutions += [layer, nn.LeakyReLU(run["negative_slope"]), nn.MaxPool2d(2)]
    dense = nn.Linear(*initial.dense.weight.shape[::-1], dtype=torch.float64)
    dense.weight.data = initial.dense.weight.data.clone()
    dense.bias.data.zero_()
    return nn.Sequential(*convolutions, Rows()), dense, copy.deepcopy(initial.bottleneck)


def plain_training(run, images):
    """Histories and metrics, by the plain layers."""
    x, v = (t.double() / 255 for t in (images.train_images, images.validation_images))
    y, w = images.train_labels.long(), images.validation_labels.long()
    model, dense, narrow = plain_layers(run, tuple(x.shape[1:]))
    parts = [model, dense, *([narrow] if narrow is not None else [])]
    optimizer = torch.optim.Adam([p for part in parts for p in part.parameters()], lr=run["learning_rate"], eps=1e-7)

    def logits_of(batch, *, training):
        features, kl = model(batch), None
        if narrow is not None:
            mean = narrow.mean(features)
            features = mean
            if narrow.rho is not None:
                deviation = F.softplus(narrow.rho(model(batch)) - 5.0)
                normal = torch.distributions.Normal
                kl = torch.distributions.kl_divergence(normal(mean, deviation), normal(0.0, 1.0)).sum(1)
                features = mean + deviation * torch.randn_like(mean) if training else mean
        return dense(features), kl

    feedback = PlainFeedback(run["form"].partition("-")[2], run.seed("feedback"))
    order = torch.Generator().manual_seed(run.seed("order"))
    history = {
        name: [] for name in ("train_loss", "validation_loss", "validation_accuracy", "validation_entropy", "lost")
    }
    for number in range(1, run["epochs"] + 1):
        feedback.start()
        torch.manual_seed(run.seed("noise") + number)
        losses = 0.0
        for batch in torch.randperm(len(x), generator=order).split(run["batch_size"]):
            optimizer.zero_grad()
            logits, kl = logits_of(x[batch], training=True)
            loss = plain_loss(run, model, logits, y[batch], kl)
            loss.backward()
            with torch.no_grad():
                if run["form"].startswith("feedback"):
                    feedback(dense.weight, dense.weight.grad, logits)
                if run["form"] == "shrink":
                    dense.weight.mul_(1 - run["lambda"] / 8)  # 192 / 24 steps
            optimizer.step()
            losses += loss.item() * len(batch)
        with torch.no_grad():
            logits, kl = logits_of(v, training=False)
            history["train_loss"].append(losses / len(x))
            history["validation_loss"].append(F.cross_entropy(logits, w).item())
            history["validation_accuracy"].append((logits.argmax(1) == w).double().mean().item())
            history["validation_entropy"].append(entropy(logits).item())
            history["lost"].append(feedback.lost)
    if not run["form"].startswith("feedback"):
        del history["lost"]
    with torch.no_grad():
        on_training = (logits_of(x, training=False)[0].argmax(1) == y).double().mean().item()
    metrics = {"accuracy_on_training_images": on_training, "validation_loss": history["validation_loss"][-1]}
    return history, metrics | ({} if kl is None else {"kl": kl.mean().item()})


CASES = [
    ("none", 0.0, {"blocks": 2}),
    ("penalty", 0.3, {}),
    ("smoothing", 0.1, {}),
    ("reciprocal", 0.01, {}),
    ("exact", 0.1, {"blocks": 2}),
    ("decay", 0.1, {}),
    ("bottleneck", 0.01, {}),
    ("plain-bottleneck", 0.0, {}),
    ("feedback", 1.0, {}),
    ("feedback-gradient", 1.0, {}),
    ("feedback-permuted", 1.0, {}),
    ("feedback-diagonal", 1.0, {}),
    ("shrink", 0.3, {}),
]


@pytest.mark.parametrize(("form", "lambda_", "changes"), CASES, ids=[case[0] for case in CASES])
def test_every_form_equals_the_plain_loop(colours, form, lambda_, changes):
    run = make_run(form, lambda_, **changes)
    found, (history, metrics) = finished(run, colours), plain_training(run, colours)
    for name, values in history.items():
        assert found["history"][name] == pytest.approx(values, rel=1e-8), name
    for name, value in metrics.items():
        assert found["metrics"][name] == pytest.approx(value, rel=1e-8), name
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert found["metrics"].keys() - {"kl"} == set(rivals.METRICS)
    assert found["history"].keys() - {"lost", "significant"} == set(rivals.HISTORIES)
    assert ("kl" in found["metrics"]) == (form == "bottleneck")


def test_every_form_changes_the_training(colours):
    last = {
        form: finished(make_run(form, lambda_, **changes | {"blocks": 1}), colours)["history"]["validation_loss"][-1]
        for form, lambda_, changes in CASES
    }
    assert len(set(last.values())) == len(CASES)


def test_forms_share_weights_and_order(colours):
    """What has no strength leaves the unguided course; another replicate does not."""
    free = finished(make_run(), colours)["history"]["validation_loss"]
    for form in ("penalty", "smoothing", "decay", "shrink"):
        assert finished(make_run(form, 1e-300), colours)["history"]["validation_loss"] == free
    assert finished(make_run(replicate=1), colours)["history"]["validation_loss"] != free
    convolutions = [
        Network.initial(make_run(form, 0.1), (3, 14, 14)).blocks[0].conv.weight for form in ("none", "bottleneck")
    ]
    assert torch.equal(*convolutions)


def test_a_run_repeats_itself_whatever_was_drawn_before(colours):
    run = make_run("bottleneck", 0.01)
    first = finished(run, colours)
    torch.rand(3)
    assert finished(run, colours)["history"] == first["history"]


def test_one_after_the_other(colours):
    runs = [make_run(epochs=3), make_run("penalty", 0.3, epochs=3)]
    epochs = list(train.train(runs, colours, CPU))
    assert [(epoch.number, epoch.training) for epoch in epochs] == [(1, 2), (2, 2), (3, 1), (1, 1), (2, 1), (3, 0)]
    assert [record["key"] for epoch in epochs for record in epoch.finished] == [run.key for run in runs]
    assert train.stack_key(runs[0]) == train.stack_key(runs[1]) and train.stack_size(runs[0], colours, CPU) == 1


def test_a_record_has_what_was_measured(colours):
    record = finished(make_run(epochs=3), colours)
    layers, maps = record["measured"]["layers"], record["measured"]["maps"]
    assert sorted(set(layers["epoch"])) == [0, 1, 2, 3] and set(maps["epoch"]) == {0, 3}
    rows = set(zip(layers["width"], layers["layer"], strict=True))
    assert rows == {(rule, name) for rule in measure.WIDTHS for name in ("block1", "logits")} | {
        ("power", "block1 x 10")
    }
    assert "errors" not in record["measured"] and set(maps["split"]) == {"validation"}
    predictions = torch.tensor(record["measured"]["predictions"]["nats"]) / train.PER_NAT
    loss = predictions.gather(1, torch.tensor(record["measured"]["predictions"]["labels"])[:, None]).mean()
    assert loss.item() == pytest.approx(record["metrics"]["validation_loss"], abs=0.005)
    reliability = record["measured"]["reliability"]
    images = torch.tensor(reliability["images"])
    gaps = (torch.tensor(reliability["confidence"]) - torch.tensor(reliability["accuracy"])).abs()
    assert images.sum() == 40
    assert ((images * gaps).sum() / 40).item() == pytest.approx(record["metrics"]["validation_ece"], abs=1e-6)
    assert 0 < record["metrics"]["train_seconds"] < record["seconds"]
    other = finished(make_run("penalty", 0.1), colours)["measured"]
    assert other.keys() == {"reliability", "layers"}


def test_measured_rows_are_those_of_the_library_s_plane():
    network = Network.initial(make_run(blocks=3, width=3), (3, 38, 38)).eval()
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand(12, 3, 38, 38, generator=generator, dtype=torch.float64), torch.arange(12) % 4
    measurement = Measurement({"train": (x, y)})
    measurement.record(network, 5)
    assert network.training
    found = measurement.columns()
    table = {
        (width, layer): values
        for width, layer, *values in zip(
            *(found["layers"][name] for name in ("width", "layer", "entropy", "about_input", "about_labels")),
            strict=True,
        )
    }
    for rule, width in measure.WIDTHS.items():
        plane = renyi.InformationPlane(network, ["blocks.0", "blocks.1", "blocks.2", "dense"], width=width)
        for row, name in zip(plane.record(x, y, 5), ("block1", "block2", "block3", "logits"), strict=True):
            expected = [row[key] for key in ("entropy", "about_input", "about_labels")]
            assert table[rule, name] == pytest.approx(expected, abs=1e-8)
    with torch.no_grad():
        ten = renyi.map_grams(10 * network.layers(x)["block3"], measure.WIDTHS["power"]).prod(0)
    images = renyi.map_grams(x, measure.WIDTHS["power"]).prod(0)
    assert table["power", "block3 x 10"][1] == pytest.approx(renyi.mutual_information(images, ten).item(), abs=1e-8)


def test_errors_are_the_gradients_behind_the_blocks():
    network = Network.initial(make_run(blocks=3, width=3), (3, 38, 38)).eval()
    x, y = torch.rand(12, 3, 38, 38, dtype=torch.float64), torch.arange(12) % 4
    measurement = Measurement({"validation": (x, y)})
    measurement.record(network, 0)
    errors = measurement.columns()["errors"]
    outputs = network.layers(x)
    gradients = []
    for number in (1, 2, 3):
        leaf = outputs[f"block{number}"].detach().requires_grad_()
        loss = F.cross_entropy(behind(network, number, leaf), y, reduction="sum")
        gradients += torch.autograd.grad(loss, leaf)
    grams = [renyi.map_grams(gradient, measure.WIDTHS["median"]).prod(0) for gradient in gradients]
    row = list(measure.WIDTHS).index("median")
    assert errors["near"][row] == pytest.approx(renyi.mutual_information(grams[2], grams[1]).item(), abs=1e-8)
    assert errors["far"][row] == pytest.approx(renyi.mutual_information(grams[2], grams[0]).item(), abs=1e-8)


def behind(network, number, value):
    """Logits from the output of a block."""
    for block in network.blocks[number:]:
        value = block(value)
    return network.dense(value.movedim(1, -1).flatten(1))


@pytest.mark.parametrize("form", get_args(Form))
def test_a_network_trains_without_waiting_for_its_device(form, colours, monkeypatch):
    """On tensors without values. On a GPU some steps wait all the same: the library checks what it is given."""
    monkeypatch.setattr(train._Training, "_measure", lambda *_: None)  # no step, and it looks at numbers
    monkeypatch.setattr(train, "Measurement", lambda _: None)
    with device(monkeypatch, (train._Training, "_step")) as watched:
        training = train._Training(make_run(form, 0.1, precision="float32"), colours, META)
        training.epoch(1)
        history = training.epoch(2)
    assert watched.steps == 2 * 8 and {len(values) for values in history.values()} == {2}  # 192 images in batches of 24
    assert form in FEEDBACKS or watched.copies <= 2  # constants of a guidance, made once


CHECKED = {"penalty", "bottleneck", *FEEDBACKS}  # forms whose logits the library looks at in each step


@pytest.mark.parametrize("form", sorted(set(get_args(Form)) - CHECKED))
def test_fake_cuda_tensors(form, colours, monkeypatch):
    """Forward pass, optimiser and validation; types as on a GPU, whose driver the backward pass needs."""
    monkeypatch.setattr(train._Training, "_measure", lambda *_: None)
    monkeypatch.setattr(train, "Measurement", lambda _: None)
    built_with_values(monkeypatch, train.Network, "initial")
    with device(monkeypatch, (train._Training, "_step")) as watched, fake_cuda(monkeypatch):
        training = train._Training(make_run(form, 0.1, precision="float32"), colours, CUDA)
        parameters = list(training.network.parameters())
        no_backward(monkeypatch, parameters)
        training._step(torch.arange(24).to(CUDA))
        assert training._scores(training.validation_VHWC).dtype == torch.float32
    assert watched.steps == 1
    assert {(tensor.device.type, tensor.dtype) for tensor in parameters} == {("cuda", torch.float32)}
