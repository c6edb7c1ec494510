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
    ("model", "room", "changes", "side"),
    [
        (lambda: SmallResNet(3, 4), "norms", {"width": 4}, 32),
        (lambda: build("vgg16"), "imagenette", {"network": "vgg16", "divisor": 1}, 224),
        (lambda: build("resnet50"), "imagenette", {"network": "resnet50", "divisor": 1}, 224),
    ],
)
def test_the_activations_are_what_the_convolutions_give(model, room, changes, side):
    found, run = run_of(room, 0)
    with torch.device("meta"):
        network = model().eval()
    outputs = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda *args: outputs.append(args[2].numel()))
    network(torch.empty(1, 3, side, side, device="meta"))
    estimate = found.size_of(Run(run.family, {**run.settings, **changes}), SimpleNamespace(side=side, colours=3))
    assert estimate.activations == sum(outputs)


def kept_for_backward(loss_of, leaves):
    """Numbers that a forward pass keeps for the backward pass, each storage once, without the parameters."""
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes() // 4, tensor  # which stays, so that no other gets its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss_of()
    ours = {leaf.untyped_storage().data_ptr() for leaf in leaves}
    return sum(numbers for place, (numbers, _) in kept.items() if place not in ours)


def test_no_estimate_is_above_what_torch_keeps():
    """Nothing is refused that fits."""
    found, run = run_of("coco_unet", 0)
    networks = [(found, run, {"widths": "4-8-16"}, UNet([4, 8, 16], 0.1), 32)]
    found, run = run_of("norms", 0)
    networks.append((found, run, {"width": 4}, SmallResNet(3, 4), 32))
    for found, run, changes, network, side in networks:
        x = torch.rand(1, 3, side, side)
        there = kept_for_backward(lambda network=network, x=x: network(x).sum(), network.parameters())
        small_one = Run(run.family, {**run.settings, **changes})
        estimate = found.size_of(small_one, SimpleNamespace(side=side, colours=3)).activations
        assert 0.4 * there <= estimate <= there


def small(**changes):
    return Run(
        "f", {"dataset": "digits", "lambda": 0.0, "precision": "float32", "batch_size": 10, "width": 3} | changes
    )


def test_bytes_in_words_of_parameters_and_batches():
    found = TrainingSize(1000, 50)
    assert training_size.memory_of(small(), found) == 4 * (4 * 1000 + 10 * 50)
    assert training_size.memory_of(small(precision="float64"), found) == 8 * (4 * 1000 + 10 * 50)
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
