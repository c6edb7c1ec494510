"""The task of VGG16 and ResNet-50 in the loop for large models, against a plain loop and Keras's rules."""

import math

import numpy as np
import pytest
import torch
from no_gpu import META, device, large_model_on_fake_cuda
from safetensors.torch import load_file
from torchvision.models import resnet50, vgg16

from replication import imagenette
from replication.core import paths
from replication.core.errors import UserError
from replication.core.run import Run
from replication.core.store import Store
from replication.data.mapped import MappedSet
from replication.imagenette.training import augmentation, task
from replication.imagenette.training import model as networks
from replication.imagenette.training.train import TRAINER
from replication.training import checkpoints, large_models

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("own_store")


@pytest.fixture
def data():
    """11 + 6 images of noise whose colour tells the class; 11 is no multiple of the batch size below."""
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        labels = torch.arange(count, dtype=torch.uint8) % 3
        noise = torch.randint(0, 128, (count, 32, 32, 3), generator=generator, dtype=torch.uint8)
        noise[torch.arange(count), :, :, labels.long()] += 100
        return noise, labels

    about = {split: {"ids": [], "content": "0" * 64} for split in ("train", "validation")}
    return MappedSet(*draw(11), *draw(6), about=about | {"classes": list("abc")})


def make_run(lambda_=0.0, network="vgg16", **changes):
    settings = {
        "dataset": "small",
        "network": network,
        "divisor": 32,
        "training": "plain",
        "row": "1",
        "lambda": lambda_,
        "replicate": 0,
        "layers": "1-2",
        "initialisation": "he-normal",
        "dropout": 0.5,
        "form": "reciprocal",
        "epsilon": 0.1,
        "reduction": "mean",
        "learning_rate": 0.05,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "schedule_patience": 2,
        "patience": 25,
        "min_delta": 0.0,
        "precision": "float64",
        "batch_size": 4,
        "max_epochs": 6,
    }
    return Run(f"{network}-test", settings | changes)


def finish(run, data, device=CPU):
    *_, last = TRAINER.train([run], data, device)
    [record] = last.finished
    return record


class KerasPlateau:
    """ReduceLROnPlateau(monitor="val_accuracy", mode="max", factor=0.1, min_delta=0) as Keras writes it."""

    def __init__(self, patience):
        self.patience, self.best, self.wait = patience, -math.inf, 0

    def lower(self, accuracy):
        if accuracy > self.best:
            self.best, self.wait = accuracy, 0
            return False
        self.wait += 1
        if self.wait < self.patience:
            return False
        self.wait = 0
        return True


def plain_training(run, data):
    """The ordinary way: a loop, torch's SGD, the penalty and the schedule written out."""
    model = networks.build(run["network"], dropout=0.5 if "dropout" in run["training"] else 0, divisor=32)
    networks.initialise_(model, run["initialisation"], run.seed("weights"))
    model.to(torch.float64, memory_format=torch.channels_last)  # in whose order dropout draws
    rate, plateau = run["learning_rate"], KerasPlateau(run["schedule_patience"])
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=run["momentum"], weight_decay=run["weight_decay"])
    kernels = [module.weight for module in model.modules() if isinstance(module, torch.nn.Conv2d)][:2]

    def penalty():
        total = 0.0
        for kernel in kernels:
            corners = kernel[:, :, 0, 0].abs()
            each = (
                -run["lambda"] * corners.log() if run["form"] == "log" else run["lambda"] / (corners + run["epsilon"])
            )
            total = total + (each.sum() if run["reduction"] == "sum" else each.mean())
        return total

    x, y = data.train_images.double().permute(0, 3, 1, 2) / 255, data.train_targets.long()
    v, w = data.validation_images.double().permute(0, 3, 1, 2) / 255, data.validation_targets.long()
    found = {"train_loss": [], "validation_loss": [], "penalty": [], "accuracy": [], "learning_rate": []}
    for epoch in range(1, run["max_epochs"] + 1):
        model.train()
        torch.manual_seed(run.seed("dropout") + epoch)
        turns = torch.Generator().manual_seed(run.seed("augmentation") + epoch)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(run.seed("order") + epoch))
        total = 0.0
        for start in range(0, len(x), run["batch_size"]):
            rows = order[start : start + run["batch_size"]]
            inputs = x[rows] if run["training"] == "plain" else augmentation.augment(x[rows], turns)
            optimizer.zero_grad()
            base = torch.nn.functional.cross_entropy(model(inputs), y[rows])
            (base + (penalty() if run["lambda"] else 0)).backward()
            optimizer.step()
            total += base.item() * len(rows)
        model.eval()
        with torch.no_grad():
            scores = torch.cat([model(part) for part in v.split(run["batch_size"])])
        found["train_loss"].append(total / len(x))
        found["validation_loss"].append(torch.nn.functional.cross_entropy(scores, w).item())
        found["penalty"].append(penalty().item() if run["lambda"] else 0.0)
        found["accuracy"].append((scores.argmax(1) == w).double().mean().item())
        found["learning_rate"].append(rate)
        if plateau.lower(found["accuracy"][-1]):
            rate *= 0.1
            for group in optimizer.param_groups:
                group["lr"] = rate
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lambda_": 0.1, "training": "augmentation"},
        {"lambda_": 1e-3, "reduction": "sum", "training": "augmentation+dropout"},
        {"lambda_": 1e-3, "form": "log", "momentum": 0.9, "weight_decay": 1e-3, "schedule_patience": 25},
        {"lambda_": 0.1, "network": "resnet50", "training": "augmentation+dropout", "max_epochs": 3},
    ],
)
def test_equals_the_plain_loop_to_1e_8(data, changes):
    run = make_run(**changes)
    record, plain = finish(run, data)["history"], plain_training(run, data)
    for name, values in plain.items():
        assert record[name] == pytest.approx(values, rel=1e-8), name  # histories keep nine digits
    if not changes:
        assert record["learning_rate"][-1] < record["learning_rate"][0]


def test_the_schedule_is_keras_rule_for_accuracy():
    run = make_run(schedule_patience=3)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule, keras = task.schedule(optimizer, run), KerasPlateau(3)
    expected = 1.0
    for images in np.random.default_rng(2).integers(380, 400, 60):  # right of 500
        row = {"accuracy": images / 500}
        schedule.step(task.watched(row, run, torch.float32))
        expected *= 0.1 if keras.lower(row["accuracy"]) else 1
        assert optimizer.param_groups[0]["lr"] == pytest.approx(max(expected, 1e-8), rel=1e-9) or expected < 1e-7


def test_momentum_outlives_a_drop_of_the_rate_as_in_keras():
    """Keras's SGD written out: v = momentum v - rate g, w = w + v. The schedule has seen no better accuracy twice."""
    run = make_run(momentum=0.9, schedule_patience=2, learning_rate=0.1)
    model = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    optimizer = task.optimizer(model, run)
    schedule, keras = task.schedule(optimizer, run), KerasPlateau(2)
    generator = torch.Generator().manual_seed(0)
    weight, velocity, rate = model.weight.detach().clone(), torch.zeros(1, 3), 0.1
    moves = []
    for accuracy in (0.5, 0.4, 0.4, 0.6, 0.6, 0.6):
        for _ in range(3):
            model.weight.grad = 1 + torch.rand(1, 3, generator=generator, dtype=torch.float64)
            velocity = 0.9 * velocity - rate * model.weight.grad
            weight = weight + velocity
            moves.append(-velocity.sum().item())
            optimizer.step()
            assert torch.allclose(model.weight, weight, rtol=0, atol=1e-12)
        schedule.step(1 - accuracy)
        rate *= 0.1 if keras.lower(accuracy) else 1
    assert rate == pytest.approx(1e-3) and optimizer.param_groups[0]["lr"] == pytest.approx(rate)
    assert 0.85 < moves[9] / moves[8] < 1  # after the first drop, where torch's own rule would give a tenth


def test_it_stops_after_the_last_better_accuracy_and_reports_the_best(data, monkeypatch):
    right = iter([2, 4, 4, 3, 4, 1, 6, 6])
    monkeypatch.setattr(task, "metrics", lambda _: {"accuracy": next(right) / 6})
    record = finish(make_run(patience=4, max_epochs=50), data)
    # 4 of 6 at epoch 2 is not beaten by the four that follow, of which two equal it
    assert record["metrics"]["stopping_epoch"] == 6 and record["metrics"]["stopped_early"] == 1
    assert record["metrics"]["best_epoch"] == 2 and record["metrics"]["best_accuracy"] == pytest.approx(4 / 6)


def test_a_continued_training_is_the_same_training(data):
    run = make_run(1e-3, training="augmentation+dropout", momentum=0.9, max_epochs=8)
    whole = finish(run, data)["history"]
    assert len(set(whole["learning_rate"])) > 1
    Store(paths.store()).delete(run.key)
    for epochs in (3, 3):  # killed twice
        training = TRAINER.train([run], data, CPU)
        for _ in range(epochs):
            next(training)
        training.close()
    again = finish(run, data)["history"]
    timed = ("train_seconds", "seconds")
    assert {n: v for n, v in again.items() if n not in timed} == {n: v for n, v in whole.items() if n not in timed}


def test_the_record_is_what_the_saved_weights_do(data):
    run = make_run()
    record = finish(run, data)
    model = networks.build("vgg16", divisor=32).double().eval()
    weights = load_file(Store(paths.store()).weights(run.key))
    model.load_state_dict(weights)
    with torch.no_grad():
        scores = model(data.validation_images.double().permute(0, 3, 1, 2) / 255).numpy()
    accuracy = (scores.argmax(1) == data.validation_targets.numpy()).mean()
    assert record["metrics"]["accuracy"] == accuracy == pytest.approx(record["history"]["accuracy"][-1])
    assert record["metrics"].keys() == set(imagenette.METRICS)
    assert record["history"].keys() >= set(imagenette.HISTORIES)
    assert record["metrics"]["images_per_second"] > 0 and record["environment"]["data"].startswith("11 + 6 images")
    # the profile from which layers can be chosen
    kernels = [m.weight.detach().numpy() for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    means = [float(np.log(np.abs(kernel[:, :, 0, 0])).mean()) for kernel in kernels]
    assert [layer["layer"] for layer in record["profile"]] == list(range(1, 14))
    assert [layer["mean"] for layer in record["profile"]] == pytest.approx(means, abs=2e-6)
    assert "profile" not in finish(make_run(1e-3), data)


def test_a_layer_that_the_network_does_not_have_is_a_users_mistake(data):
    with pytest.raises(UserError, match=r"layers 1-14: no convolution number 14: the model has 13"):
        next(TRAINER.train([make_run(0.1, layers="1-14")], data, CPU))


@pytest.mark.parametrize(("name", "official"), [("vgg16", vgg16), ("resnet50", resnet50)])
def test_the_networks_are_torchvisions(name, official):
    """The same modules in the same order; a narrow one has every channel count but the images' and classes' divided."""
    with torch.device("meta"):
        expected = official(num_classes=10)
    narrow = networks.build(name, divisor=8)
    assert [(n, type(m)) for n, m in narrow.named_modules()] == [(n, type(m)) for n, m in expected.named_modules()]
    for (key, small), large in zip(narrow.state_dict().items(), expected.state_dict().values(), strict=True):
        divided = [size if size in (3, 10) or place > 1 else size // 8 for place, size in enumerate(large.shape)]
        assert list(small.shape) == divided, key
    assert narrow(torch.rand(2, 3, 64, 64)).shape == (2, 10)


def test_dropout_stands_where_the_text_has_it():
    """In VGG16 between the dense layers of the head; ResNet-50's only one has it before."""
    rates = [m.p for m in networks.build("vgg16", dropout=0.5, divisor=64).modules() if isinstance(m, torch.nn.Dropout)]
    assert rates == [0.5, 0.5]
    assert {m.p for m in networks.build("vgg16", divisor=64).modules() if isinstance(m, torch.nn.Dropout)} == {0.0}
    head = list(networks.build("resnet50", dropout=0.5, divisor=8).fc)
    assert [type(m).__name__ for m in head] == ["Dropout", "Linear"] and head[0].p == 0.5


@pytest.mark.parametrize("initialisation", ["glorot-uniform", "he-normal"])
def test_initial_weights_have_the_stated_spread(initialisation):
    model = networks.build("vgg16", divisor=4)
    networks.initialise_(model, initialisation, 5)
    again = networks.build("vgg16", divisor=4)
    networks.initialise_(again, initialisation, 5)
    kernel, dense = model.features[10].weight, model.classifier[3].weight
    assert torch.equal(kernel, again.features[10].weight)
    outputs, inputs = kernel.shape[:2]
    expected = {"glorot-uniform": math.sqrt(2 / (9 * (inputs + outputs))), "he-normal": math.sqrt(2 / (9 * outputs))}
    assert kernel.std().item() == pytest.approx(expected[initialisation], rel=0.03)
    dense_expected = {"glorot-uniform": math.sqrt(2 / sum(dense.shape)), "he-normal": 0.01}
    assert dense.std().item() == pytest.approx(dense_expected[initialisation], rel=0.03)
    assert not any(parameter.any() for name, parameter in model.named_parameters() if name.endswith("bias"))


def test_the_first_step_that_decided_epsilon_and_reduction():
    """The numbers in assumption classifier-penalty."""
    first = torch.nn.Conv2d(3, 64, 3)  # VGG16's first layer
    middle, smallest = 0.05, 0.0005

    def step(corner, **settings):
        run = make_run(settings.pop("lambda_"), layers="1", **settings)
        with torch.no_grad():
            first.weight.fill_(corner)
        (gradient,) = torch.autograd.grad(
            large_models.layer_by_layer(torch.nn.Sequential(first), ["0"], run)(), [first.weight]
        )
        return 0.01 * gradient[0, 0, 0, 0].abs().item()

    assert step(middle, lambda_=10.0, reduction="sum", epsilon=1e-7) == pytest.approx(40, rel=0.01)
    assert step(smallest, lambda_=1e-4, reduction="sum", epsilon=1e-7) == pytest.approx(4, rel=0.01)
    assert step(smallest, lambda_=10.0, reduction="mean", epsilon=1e-7) == pytest.approx(2000, rel=0.05)
    assert 9 < step(smallest, lambda_=10.0, reduction="sum", epsilon=0.1) < 10
    assert step(smallest, lambda_=10.0, reduction="mean", epsilon=0.1) == pytest.approx(0.05, rel=0.05)


def test_bfloat16_stays_near_float32(data):
    low, full = (
        finish(make_run(precision=p, max_epochs=2), data)["metrics"]["train_loss"] for p in ("bfloat16", "float32")
    )
    assert low != full and low == pytest.approx(full, rel=0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
def test_gpu_agrees_with_cpu(data, network):
    """float64 on both; then bf16 runs at all, with the data on the device."""
    run = make_run(0.1, network, training="augmentation", max_epochs=3)
    gpu = finish(run, data, torch.device("cuda"))["history"]["train_loss"]
    Store(paths.store()).delete(run.key)
    assert gpu == pytest.approx(finish(run, data)["history"]["train_loss"], rel=1e-6)
    low = finish(make_run(0.1, network, precision="bfloat16"), data, torch.device("cuda"))
    assert np.isfinite(low["metrics"]["train_loss"])


def test_a_training_goes_on_within_an_epoch(data, monkeypatch):
    """With the augmentation that the rest of the epoch would have had."""
    run = make_run(training="augmentation+dropout", momentum=0.9, max_epochs=2)
    whole = finish(run, data)["history"]["train_loss"]
    Store(paths.store()).delete(run.key)
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)
    monkeypatch.setattr(checkpoints, "SHARE", math.inf)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        step, done = large_models._Training._step, []

        def dying(*args):
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(args)
            return step(*args)

        patched.setattr(large_models._Training, "_step", dying)
        finish(run, data)
    assert finish(run, data)["history"]["train_loss"] == whole


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
@pytest.mark.parametrize("training", ["plain", "augmentation+dropout"])
def test_a_network_trains_without_waiting_for_its_device(network, training, data, monkeypatch):
    """Whole epochs on tensors without values."""
    run = make_run(0.1, network, training=training, precision="float32", momentum=0.9, max_epochs=2)
    monkeypatch.setattr(large_models._Training, "_save_checkpoint", lambda *_: None)
    monkeypatch.setattr(large_models, "free_memory", lambda _: 1 << 40)
    with device(monkeypatch, (large_models._Training, "_step")) as watched:
        trained = large_models._Training(run, data, META, task)
        assert [trained.epoch().number for _ in range(2)] == [1, 2]
    assert watched.steps == 2 * 3 and watched.copies <= 2  # 11 images in batches of 4; the guidance's constants


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fake_cuda_tensors(network, precision, data, monkeypatch):
    """Forward pass, optimiser and validation; types as on a GPU, whose driver the backward pass needs."""
    run = make_run(0.1, network, training="plain", precision=precision, momentum=0.9)
    large_model_on_fake_cuda(monkeypatch, task, run, data)
