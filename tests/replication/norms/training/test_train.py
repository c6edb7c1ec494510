"""The trainer: pairs, its record, and a plain loop beside it."""

import pytest
import torch
from no_gpu import CUDA, META, built_with_values, device, fake_cuda, no_backward
from torch.nn import functional as F

from replication import norms
from replication.core.run import Run
from replication.data.images import ImageSet
from replication.norms.training import train
from replication.norms.training.network import initial

CPU = torch.device("cpu")


@pytest.fixture
def colours() -> ImageSet:
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        images = torch.randint(0, 256, (count, 3, 8, 8), generator=generator)
        return images.to(torch.uint8), torch.randint(0, 10, (count,), generator=generator).to(torch.uint8)

    return ImageSet(*draw(50), *draw(20))


def make_run(form="none", lambda_=0.0, **changes):
    settings = {"dataset": "small", "width": 2, "lambda": lambda_, "replicate": 0, "form": form, "epochs": 2}
    return Run("norms-test", settings | {"learning_rate": 0.1, "batch_size": 16, "precision": "float64"} | changes)


def finished(run, images):
    return list(train.train([run], images, CPU))[-1].finished[0]


def test_an_unguided_run_is_plain_training(colours):
    run = make_run()
    record = finished(run, colours)
    network = initial(3, 2, run.seed("weights")).double()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    generator, step = torch.Generator().manual_seed(run.seed("order")), 0
    for _ in range(2):
        for batch in torch.randperm(50, generator=generator).split(16):
            optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 8)
            optimizer.zero_grad()
            images = colours.train_images[batch].double() / 127.5 - 1
            F.cross_entropy(network(images), colours.train_labels[batch].long()).backward()
            optimizer.step()
            step += 1
    network.eval()
    logits = network(colours.validation_images.double() / 127.5 - 1)
    loss = F.cross_entropy(logits, colours.validation_labels.long()).item()
    assert record["metrics"]["validation_loss"] == pytest.approx(loss, rel=1e-8)
    assert len(record["history"]["validation_accuracy"]) == 2
    assert record["metrics"].keys() == set(norms.METRICS) and record["history"].keys() == set(norms.HISTORIES)


def test_guided_runs_share_the_seeds_and_differ(colours):
    runs = [make_run(), *(make_run(form, 0.05) for form in ("log", "scale", "rate"))]
    assert len({run.seed("weights") for run in runs}) == len({run.seed("order") for run in runs}) == 1
    assert len({run.key for run in runs}) == 4
    unguided, guided, scale, rate = (finished(run, colours)["metrics"] for run in runs)
    assert guided["corner"] > unguided["corner"] + 0.1 and scale["growth"] > unguided["growth"] + 0.01
    assert len({unguided["validation_loss"], guided["validation_loss"], scale["validation_loss"]}) == 3
    assert rate["validation_loss"] == pytest.approx(scale["validation_loss"], rel=0.02)  # but for the norm's epsilon


@pytest.mark.parametrize("form", ["none", "log", "scale", "rate"])
def test_a_network_trains_without_waiting_for_its_device(form, colours, monkeypatch):
    run = make_run(form, 0.05 if form != "none" else 0.0, precision="float32")
    with device(monkeypatch, (train._Training, "_step")) as watched:
        *_, last = train.train([run], colours, META)
    assert len(last.finished) == 1 and watched.steps == 2 * 4  # 50 images in batches of 16
    assert watched.copies <= 2 and watched.reads == 2 * 5  # constants of the guidance; the histories


@pytest.mark.parametrize("form", ["none", "rate"])
def test_fake_cuda_tensors(form, colours, monkeypatch):
    """Forward pass, optimiser and validation; types as on a GPU, whose driver the backward pass needs."""
    built_with_values(monkeypatch, train, "initial")
    with device(monkeypatch, (train._Training, "_step")) as watched, fake_cuda(monkeypatch):
        training = train._Training(make_run(form, 0.05, precision="float32"), colours, CUDA)
        parameters = list(training.network.parameters())
        no_backward(monkeypatch, parameters)
        training.epoch()
    assert watched.steps == 4
    assert {(tensor.device.type, tensor.dtype) for tensor in parameters} == {("cuda", torch.float32)}
