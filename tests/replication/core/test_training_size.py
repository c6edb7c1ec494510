"""Estimates of what a training needs, against the networks themselves; what does not fit is refused with them."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from replication.__main__ import main
from replication.autoencoder.training.model import Autoencoders
from replication.coco_unet.training.model import UNet
from replication.core import family, paths, room_for, training_size
from replication.core.errors import UserError
from replication.core.run import Run
from replication.core.settings import load
from replication.core.training_size import TrainingSize
from replication.data.catalogue import known
from replication.imagenette.training.model import build
from replication.norms.training.network import SmallResNet
from replication.small_cnn.training.model import SmallCNNs

ROOT = Path(__file__).parents[3]


def run_of(room, index=-1):
    """A run of the paper's grid, one of the room's first family."""
    found = family.find(PAPER, next(name for name, lives_in in PAPER.families.items() if lives_in == room))
    return found, found.grid[index]


PAPER = load("paper", ROOT / "params.yaml")


def tensors(room, run, about):
    """The parameters of the run's network."""
    shape = (about.colours, about.side, about.side)
    if room == "autoencoder":
        return Autoencoders.initial(about.inputs, run["width"], [0], torch.float32).tensors()
    if room in ("small_cnn", "rivals"):
        options = {"padding": run["padding"], "negative_slope": run["negative_slope"]}
        stack = SmallCNNs.initial(shape, run["blocks"], run["width"], [0], torch.float32, **options)
        return [*stack.kernels, *stack.biases, stack.dense_MKF, stack.dense_bias_M1K]
    with torch.device("meta"):
        if room == "norms":
            return list(SmallResNet(about.colours, run["width"]).parameters())
        if room == "coco_unet":
            return list(UNet(list(map(int, run["widths"].split("-")))).parameters())
        return list(build(run["network"], divisor=run["divisor"]).parameters())


@pytest.mark.parametrize("room", ["autoencoder", "small_cnn", "rivals", "norms", "coco_unet", "imagenette"])
def test_the_parameters_are_those_of_the_network(room):
    found, run = run_of(room, 0)
    about = known(run["dataset"])
    assert found.size_of(run, about).parameters == sum(tensor.numel() for tensor in tensors(room, run, about))


@pytest.mark.parametrize(
    ("model", "room", "share"),
    [
        (lambda: UNet([4, 8, 16]), "coco_unet", 2),
        (lambda: SmallResNet(3, 4), "norms", 3),
        (lambda: build("vgg16"), "imagenette", 2),
        (lambda: build("resnet50"), "imagenette", 2),
    ],
)
def test_the_activations_are_what_the_convolutions_give(model, room, share):
    """Each output so many times, as the formula says; a U-Net's pooled and joined inputs come on top."""
    _, run = run_of(room, 0)
    with torch.device("meta"):
        network = model()
    outputs = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.register_forward_hook(lambda *args: outputs.append(args[2].numel()))
    about = SimpleNamespace(side=224 if room == "imagenette" else 32, colours=3)
    network.eval()(torch.empty(1, 3, about.side, about.side, device="meta"))
    changes = {"widths": "4-8-16", "width": 4, "divisor": 1}
    if room == "imagenette":
        changes["network"] = "vgg16" if sum(outputs) > 12_000_000 else "resnet50"
    found, _ = run_of(room, 0)
    estimate = found.size_of(Run(run.family, {**run.settings, **changes}), about).activations
    assert share * sum(outputs) * 0.85 <= estimate <= share * sum(outputs) * 1.3


def small(**changes):
    return Run(
        "f", {"dataset": "digits", "lambda": 0.0, "precision": "float32", "batch_size": 10, "width": 3} | changes
    )


def test_bytes_in_words_of_parameters_and_batches():
    found = TrainingSize(1000, 50)
    assert training_size.memory_of(small(), found) == 4 * (4 * 1000 + 2 * 10 * 50)
    assert training_size.memory_of(small(precision="float64"), found) == 8 * (4 * 1000 + 2 * 10 * 50)
    kept = [(small(), found), (small(**{"lambda": 1.0}), found)]
    runs = [run for run, _ in kept]
    assert training_size.disk_of(runs, []) == 2 * room_for.RUN_DISK
    assert training_size.disk_of(runs, kept) == 2 * room_for.RUN_DISK + 4 * 1000 + 2 * 3 * 4 * 1000


def test_a_training_that_does_not_fit_is_refused_and_one_that_does_is_not(tmp_path, monkeypatch):
    def size_of(run, _):
        return TrainingSize(run["width"] * 1000, 0)

    def check(*runs, memory, checkpoints=False):
        training_size.check(runs, size_of, memory=memory, store=tmp_path / "store", checkpoints=checkpoints)

    check(small(), small(width=2), memory=48_000)
    with pytest.raises(UserError, match=r"f: a training with width 3, batch_size 10 needs about 48\.0 kB of memory"):
        check(small(), small(width=2), memory=47_999)
    check(small(width=10**9), memory=None)
    check(small(width=10**9, dataset="own"), memory=1)  # of what nobody knows nothing is said
    monkeypatch.setattr(room_for.shutil, "disk_usage", lambda _: SimpleNamespace(free=8_000))
    check(small(), memory=None)
    with pytest.raises(UserError, match=r"f: 1 runs need about 92\.0 kB of disk in .*, and it has 8\.0 kB left"):
        check(small(), memory=None, checkpoints=True)


def test_a_user_who_asks_for_too_much_is_told_before_training(tmp_path, monkeypatch, capsys):
    text = paths.PARAMS.read_text()
    monkeypatch.chdir(tmp_path)
    demo = text.index("  demo:")
    paths.PARAMS.write_text(text[:demo] + re.sub(r"\b140\b", "900000000", text[demo:]))
    code = main(["sweep", "--scale", "demo", "--family", "autoencoder-mnist", "--device", "cpu"])
    said = capsys.readouterr().err
    assert code == 2 and len(said.strip().splitlines()) <= 3
    assert "autoencoder-mnist: a training with width 900000000, batch_size 128 needs about" in said
