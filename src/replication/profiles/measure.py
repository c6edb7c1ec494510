"""Entropy profiles of trained and random networks: the record behind Figures 1 and 7 to 9 (paper, section 4)."""

from collections.abc import Container

import numpy as np
import torch
from torch import nn

from entropy_guidance import conv_entropy_change, profile, selection
from replication import data as datasets
from replication.core import paths, strict_json
from replication.core.errors import UserError
from replication.core.family import find
from replication.core.files import write_text
from replication.core.runs import Store
from replication.core.schema import mistake, shown
from replication.core.settings import Parameters
from replication.data.images import ImageSet
from replication.profiles.known_files import FILES
from replication.profiles.record import Layer, read_record, record_path
from replication.profiles.settings import Profiled
from replication.profiles.settings import read as read_settings
from replication.training.threads import one_thread

SEED = 0
DEMO_DATASET, DEMO_EPOCHS, DEMO_BATCH_SIZE = "digits", 2, 32
# Weights that only a file holds: VGG16 fine-tuned for edge detection (HED on BSDS500), in the layout of Keras's file.


def write(parameters: Parameters, network: str) -> list[str]:
    """Profile every kind of weights that can be had and write the record; lines for the user.

    One line a convolution. Weights that cannot be had now keep the lines that the record has of them.
    """
    from replication.profiles import zoo  # torchvision takes seconds to import, which readers of a record need not wait

    chosen = read_settings(parameters)[network]
    if not (_is_family(parameters, chosen.network) or zoo.is_known(chosen.network)):
        said = f"no network {shown(chosen.network)}: choose a family of U-Nets, or a name of torchvision's"
        raise mistake(f"{parameters.where('profiles')}.{network}.network", said)
    path = record_path(parameters.scale, network)
    layers: dict[str, list[Layer]] = {weights: [] for weights in chosen.weights} | _by_weights(read_record(path))
    messages = []
    for weights in chosen.weights:
        try:
            model, source = load_network(parameters, chosen, weights)
        except UserError as error:
            kept = "its recorded profile is kept" if layers[weights] else "its profile is left out"
            messages.append(f"{network}, {weights} weights: {kept}. {error}")
            continue
        name = network if _is_family(parameters, chosen.network) else chosen.network
        before = selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64)) if name == "resnet50" else ()
        layers[weights] = describe_layers(model, before, network=name, weights=weights, source=source)
        messages.append(f"{network}, {weights} weights ({source}): {len(layers[weights])} convolutions")
    if not any(layers.values()):
        raise UserError("nothing could be profiled. " + " ".join(messages))
    lines = [strict_json.dumps(layer) for weights in chosen.weights for layer in layers[weights]]
    write_text(path, "".join(line + "\n" for line in lines))
    return messages


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
        return model, f"trained here on {DEMO_DATASET}, {DEMO_EPOCHS} epochs, validation accuracy {accuracy:.3f}"
    file = paths.raw() / "weights" / FILES[weights] if weights in FILES else weights
    source = {"imagenet": "keras"}.get(weights) or str(file)
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
