"""Entropy profiles of trained and random networks: the record behind Figures 1 and 7 to 9 (paper, section 4)."""

from collections.abc import Container
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from entropy_guidance import conv_entropy_change, profile, selection
from replication import data as datasets
from replication.core import paths, strict_json, studies
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.profiled_weights import OTHERS
from replication.core.schema import mistake, shown
from replication.core.settings import Parameters
from replication.core.store import Store
from replication.data.images import ImageSet
from replication.profiles.record import Layer, read_record, record_path
from replication.profiles.settings import Profiled
from replication.profiles.settings import read as read_settings
from replication.training.threads import one_thread

SEED = 0
DEMO_DATASET, DEMO_EPOCHS, DEMO_BATCH_SIZE = "digits", 1, 32
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def write(parameters: Parameters, network: str) -> list[str]:
    """Profile every kind of weights that can be had and write the record; lines for the user.

    One line a convolution. Weights that cannot be had now keep the lines that the record has of them.
    """
    from replication.profiles import zoo

    chosen = read_settings(parameters)[network]
    if not (_is_family(parameters, chosen.network) or zoo.is_known(chosen.network)):
        said = f"no network {shown(chosen.network)}: choose a family of U-Nets, or a name of torchvision's"
        raise mistake(f"{parameters.where('profiles')}.{network}.network", said)
    path = record_path(parameters.scale, network)
    layers: dict[str, list[Layer]] = {weights: [] for weights in chosen.weights} | _by_weights(read_record(path))
    messages = []
    for weights in chosen.weights:
        try:
            if weights in OTHERS:
                from replication.profiles import trained_networks  # with onnx, another second

                found = trained_networks.load(weights)
                about: dict[str, Any] = {"network": found.network, "source": found.source}
                about |= {} if found.differs is None else {"differs": float(f"{found.differs:.2g}")}
                model, before = found.model, found.into_sum
            else:
                model, source = load_network(parameters, chosen, weights)
                name = network if _is_family(parameters, chosen.network) else chosen.network
                about = {"network": name, "source": source}
                resnet = name == "resnet50"
                before = tuple(selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64))) if resnet else ()
        except UserError as error:
            kept = "its recorded profile is kept" if layers[weights] else "its profile is left out"
            messages.append(f"{network}, {weights} weights: {kept}. {error}")
            continue
        layers[weights] = describe_layers(model, before, **about, weights=weights)
        messages.append(f"{network}, {weights} weights ({about['source']}): {len(layers[weights])} convolutions")
    if not any(layers.values()):
        raise UserError("nothing could be profiled. " + " ".join(messages))
    lines = [strict_json.dumps(layer) for weights in chosen.weights for layer in layers[weights]]
    studies.write(path, "".join(line + "\n" for line in lines))
    return messages


def describe_layers(model: nn.Module, pre_skip: Container[str] = (), **about: Any) -> list[Layer]:
    """Summary of each convolution's profile, its role, and what hypothesis H5 asks of its weights.

    Beside the columns of `Profile.summary()`: shape as torch stores it, fan_in, log_sigma (log standard deviation of
    all weights of the layer), relative (the mean of the profile relative to each output's own weights), positions (mean
    entropy change with each filter position as the anchor, rows of columns), pre_skip, and transposed where it is:
    such layers come behind the others, which count from 1.

    Args:
        pre_skip: names of the layers with that role.
        about: goes into every line.
    """
    summary = profile(model).summary().drop(columns=["part", "kind"]).set_index("name")
    relative = profile(model, relative=True).summary().set_index("name")["mean"]
    layers: list[Layer] = []
    convolutions = [(name, module) for name, module in model.named_modules() if isinstance(module, CONVOLUTIONS)]
    for name, module in sorted(convolutions, key=lambda pair: pair[1].transposed):
        weight = module.weight.detach().double()
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
                "fan_in": module.in_channels // module.groups * weight[0, 0].numel(),
                "log_sigma": round(weight.std().log().item(), 6),
                "relative": round(float(relative[name]), 6),
                "positions": None if "differs" in about else _positions(weight),  # of a function told before
                "pre_skip": name in pre_skip,
            }
            | ({"transposed": True} if module.transposed else {})
        )
    return layers


def _positions(weight: torch.Tensor) -> Any:
    """Means with each position as the anchor, nested as the filter is."""
    filter_ = weight.shape[2:]
    means = [
        _finite_mean(conv_entropy_change(weight, anchor=at, dimensions=len(filter_)))
        for at in product(*map(range, filter_))
    ]
    return np.array(means).reshape(filter_).tolist()


def _by_weights(layers: list[Layer]) -> dict[str, list[Layer]]:
    grouped: dict[str, list[Layer]] = {}
    for layer in layers:
        grouped.setdefault(layer["weights"], []).append(layer)
    return grouped


def _is_family(parameters: Parameters, network: str) -> bool:
    """Whether a network is that of a family of U-Nets."""
    return parameters.families.get(network) == "coco_unet"


def load_network(parameters: Parameters, chosen: Profiled, weights: str) -> tuple[nn.Module, str]:
    """A network with the weights that are named, and where these are from.

    Raises:
        UserError: the weights cannot be had.
    """
    from replication.profiles import small_vgg_training, zoo

    if _is_family(parameters, chosen.network):
        return _unet(parameters, chosen.network, weights)
    torch.manual_seed(SEED)
    model = zoo.build(chosen.network)
    if weights == "trained":
        zoo.load_weights(model, chosen.network, "random", seed=SEED)
        images = datasets.load(DEMO_DATASET)
        assert isinstance(images, ImageSet)
        with one_thread():
            *_, accuracy = small_vgg_training.train(
                model, images, epochs=DEMO_EPOCHS, batch_size=DEMO_BATCH_SIZE, seed=SEED
            )
        return model, f"trained here on {DEMO_DATASET}, {DEMO_EPOCHS} epoch, validation accuracy {accuracy:.3f}"
    if weights == "edges":
        from replication.profiles import trained_networks

        return model, trained_networks.edges(model)
    source = {"imagenet": "keras"}.get(weights) or weights
    return model, zoo.load_weights(model, chosen.network, source, seed=SEED)


def _unet(parameters: Parameters, name: str, weights: str) -> tuple[nn.Module, str]:
    """The family's network: random, or as its unguided run (`sample`: the sample's) left it in the store."""
    from replication.coco_unet.training import task
    from replication.profiles import zoo

    family = find(parameters, f"{name}-sample" if weights == "sample" else name)
    run = next((run for run in family.grid if run["lambda"] == 0), None)
    if run is None:
        raise UserError(f"scale {parameters.scale} has no run of {family.name} without guidance")
    model = task.build(run)
    if weights == "random":
        return model, zoo.load_weights(model, family.name, "random", seed=SEED)
    store = Store(paths.store())
    path = store.weights(run.key)
    if not path.exists():
        command = f"python -m replication sweep --scale {parameters.scale} --family {family.name} --only lambda=0"
        raise UserError(
            f"no weights of the unguided run of {family.name} here; `{command}` trains it where its data are"
        )
    zoo.load_weights(model, family.name, str(path))
    metrics = store[run.key]["metrics"]
    return model, (
        f"unguided run of {family.name}, {run['widths']} filters, {metrics['train_images']} images, "
        f"{metrics['stopping_epoch']} epochs, validation IoU {metrics['iou']:.3f}"
    )


def _finite_mean(change: torch.Tensor) -> float:
    values = change.numpy()
    return round(float(np.mean(values[np.isfinite(values)])), 6)
