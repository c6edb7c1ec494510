"""Entropy profiles of trained and random networks: the record behind Figures 1 and 7 to 9 (paper, section 4)."""

import json
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from entropy_guidance import conv_entropy_change, profile, selection
from replication import datasets, paths
from replication.datasets.images import ImageSet
from replication.errors import UserError
from replication.experiments import unet
from replication.files import reading, write_text
from replication.runs import Store
from replication.settings import UNETS, ProfileGrid, Settings

Layer = dict[str, Any]
SEED = 0
DEMO_DATASET, DEMO_EPOCHS, DEMO_BATCH_SIZE = "digits", 6, 32
# Weights that only a file holds: VGG16 fine-tuned for edge detection (HED on BSDS500), in the layout of Keras's file.
FILES = {"edges": paths.RAW / "weights" / "vgg16_hed_bsds500_notop.h5"}


def record_path(scale: str, network: str) -> Path:
    return paths.table(scale, f"profile-{network}")


def write(settings: Settings, network: str) -> list[str]:
    """Profile every kind of weights that can be had and write the record; lines for the user.

    One line a convolution. Weights that cannot be had now keep the lines that the record has of them.
    """
    chosen = settings.profiles[network]
    path = record_path(settings.scale, network)
    layers: dict[str, list[Layer]] = {weights: [] for weights in chosen.weights} | _by_weights(read_record(path))
    messages = []
    for weights in chosen.weights:
        try:
            model, source = _weights(settings, chosen, weights)
        except UserError as error:
            kept = "its recorded profile is kept" if layers[weights] else "its profile is left out"
            messages.append(f"{network}, {weights} weights: {kept}. {error}")
            continue
        name = "unet" if chosen.network in UNETS else chosen.network
        before = selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64)) if name == "resnet50" else ()
        layers[weights] = describe_layers(model, before, network=name, weights=weights, source=source)
        messages.append(f"{network}, {weights} weights ({source}): {len(layers[weights])} convolutions")
    if not any(layers.values()):
        raise UserError("nothing could be profiled. " + " ".join(messages))
    lines = [json.dumps(layer) for weights in chosen.weights for layer in layers[weights]]
    write_text(path, "".join(line + "\n" for line in lines))
    return messages


def read_record(path: Path) -> list[Layer]:
    """Layers of a record; [] where there is none."""
    with reading(path, "delete it and run `python -m replication profiles`, or restore it with git"):
        return [dict(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def describe_layers(model: nn.Module, pre_skip: Container[str] = (), **about: str) -> list[Layer]:
    """Summary of each convolution's profile, its role, and what hypothesis H5 asks of its weights.

    Beside the columns of `Profile.summary()`: shape, fan_in, log_sigma (log standard deviation of all weights of the
    layer), positions (mean entropy change with each filter position as the anchor, rows of columns), pre_skip.

    Args:
        pre_skip: names of the layers with that role.
        about: goes into every line.
    """
    summary = profile(model).summary().drop(columns=["part", "kind"]).set_index("name")
    layers: list[Layer] = []
    for name, module in model.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        weight = module.weight.detach().double()
        positions = [
            [_finite_mean(conv_entropy_change(weight, anchor=(row, column))) for column in range(weight.shape[3])]
            for row in range(weight.shape[2])
        ]
        found = {
            column: float(f"{value:.7g}") if isinstance(value, float) else value
            for column, value in summary.loc[name].to_dict().items()
        }
        layers.append(
            about
            | found
            | {
                "layer": len(layers) + 1,
                "name": name,
                "n": int(found["n"]),
                "shape": list(weight.shape),
                "fan_in": weight[0].numel(),
                "log_sigma": round(weight.std().log().item(), 6),
                "positions": positions,
                "pre_skip": name in pre_skip,
            }
        )
    return layers


def frame(layers: Iterable[Layer]) -> pd.DataFrame:
    """One row a convolution and kind of weights, with `residual` = mean - log_sigma."""
    table = pd.DataFrame(list(layers))
    if len(table):
        table["residual"] = table["mean"] - table["log_sigma"]
    return table


def _by_weights(layers: list[Layer]) -> dict[str, list[Layer]]:
    grouped: dict[str, list[Layer]] = {}
    for layer in layers:
        grouped.setdefault(layer["weights"], []).append(layer)
    return grouped


def _weights(settings: Settings, chosen: ProfileGrid, weights: str) -> tuple[nn.Module, str]:
    from replication.models import zoo  # torchvision takes seconds to import, which readers of a record need not wait
    from replication.training import classifier

    if chosen.network in UNETS:
        return _unet(settings, chosen.network, weights)
    torch.manual_seed(SEED)
    model = zoo.build(chosen.network)
    if weights == "trained":
        zoo.load_weights(model, chosen.network, "random", seed=SEED)
        images = datasets.load(DEMO_DATASET)
        assert isinstance(images, ImageSet)
        *_, accuracy = classifier.train(model, images, epochs=DEMO_EPOCHS, batch_size=DEMO_BATCH_SIZE, seed=SEED)
        return model, f"trained here on {DEMO_DATASET}, {DEMO_EPOCHS} epochs, validation accuracy {accuracy:.3f}"
    source = {"imagenet": "keras"}.get(weights) or str(FILES.get(weights, weights))
    return model, zoo.load_weights(model, chosen.network, source, seed=SEED)


def _unet(settings: Settings, family: str, weights: str) -> tuple[nn.Module, str]:
    """The family's network: random, or as its unguided run (`sample`: the sample's) left it in the store."""
    from replication.models import zoo
    from replication.training import segmentation

    family += "-sample" if weights == "sample" else ""
    run = next(run for run in unet.grid(settings, family) if run["lambda"] == 0)
    model = segmentation.build(run)
    if weights == "random":
        return model, zoo.load_weights(model, family, "random", seed=SEED)
    store = Store(paths.store())
    path = store.weights(run.key)
    if not path.exists():
        command = f"python -m replication sweep --scale {settings.scale} --family {family} --only lambda=0"
        raise UserError(f"no weights of the unguided run of {family} here; `{command}` trains it where its data are")
    zoo.load_weights(model, family, str(path))
    metrics = store[run.key]["metrics"]
    return model, (
        f"unguided run of {family}, {run['widths']} filters, {metrics['train_images']} images, "
        f"{metrics['stopping_epoch']} epochs, validation IoU {metrics['iou']:.3f}"
    )


def _finite_mean(change: torch.Tensor) -> float:
    values = change.numpy()
    return round(float(np.mean(values[np.isfinite(values)])), 6)
