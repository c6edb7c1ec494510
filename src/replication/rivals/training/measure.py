"""What layers know of images and labels, at a few epochs: matrix-based Rényi information, at four kernel widths.

The images are the first of both splits, the same for every run; the network is in evaluation mode. Units are bits.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from entropy_guidance import renyi
from entropy_guidance.renyi import Width
from replication.core.runs import nine_digits
from replication.rivals.record import RULES, SCALED
from replication.rivals.training.network import LOGITS, Network

WIDTHS: dict[str, Width] = {rule: Width(rule) for rule in RULES}
PAIRS = 40  # of maps, drawn anew in each measurement

VALIDATION = "validation"  # the split on which pairs of maps are measured

Columns = dict[str, list[Any]]


class Measurement:
    """Measures one network in training, always on the same images.

    Attributes:
        rows: columns of equal length: epoch, split, width, layer, and in bits `entropy` S(T), `about_input` I(X; T)
            and `about_labels` I(T; Y). A layer `block1 x 10` is the block with its outputs ten times as large.
        errors: of networks with three blocks, columns: epoch, split, width, near, far: what the gradients with respect
            to the last block's outputs share with those of the block before it, and of the one before that.
        maps: of the last block and the validation images, columns: epoch, split, width, layer, entropy, and the means
            over pairs of maps `redundancy_minus_synergy` and `unique_plus_synergy`.
    """

    def __init__(self, images: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Args: images, by split: (n, C, H, W) as the network takes them, and labels (n,)."""
        self.images = images
        self.rows: Columns = defaultdict(list)
        self.errors: Columns = defaultdict(list)
        self.maps: Columns = defaultdict(list)
        self._known: dict[tuple[str, str], tuple[Tensor, Tensor, Tensor, Tensor]] = {}
        for split, (x, labels) in images.items():
            y = renyi.delta_gram(labels)
            for rule, width in WIDTHS.items():
                gram = renyi.map_grams(x, width).prod(0)
                self._known[split, rule] = gram, renyi.entropy(gram), y, renyi.entropy(y)

    def record(self, network: Network, epoch: int, *, pairs: torch.Generator | None = None) -> None:
        """Measure now. Args: pairs, where pairs of maps are to be measured too: draws them."""
        network.eval()
        for split, (x, labels) in self.images.items():
            with torch.enable_grad():
                layers = network.layers(x)
                if len(network.blocks) == 3:
                    self._record_errors(layers, labels, epoch, split)
            detached = {name: output.detach() for name, output in layers.items()}
            for rule in WIDTHS:
                self._record_layers(detached, epoch, split, rule)
                if pairs is not None and split == VALIDATION:
                    self._record_maps(detached, epoch, split, rule, pairs)
        network.train()

    def _record_layers(self, layers: Mapping[str, Tensor], epoch: int, split: str, rule: str) -> None:
        x, x_bits, y, y_bits = self._known[split, rule]
        last = list(layers)[-2]
        if rule == "power":
            layers = {**layers, f"{last} x {SCALED}": SCALED * layers[last]}
        grams = torch.stack([renyi.map_grams(output, WIDTHS[rule]).prod(0) for output in layers.values()])
        bits_3L = renyi.entropy(torch.stack([grams, grams * x, grams * y]))
        about = {"entropy": bits_3L[0], "about_input": bits_3L[0] + x_bits - bits_3L[1]}
        about |= {"about_labels": bits_3L[0] + y_bits - bits_3L[2]}
        for k, name in enumerate(layers):
            values = {key: value[k].item() for key, value in about.items()}
            _append(self.rows, {"epoch": epoch, "split": split, "width": rule, "layer": name} | values)

    def _record_errors(self, layers: Mapping[str, Tensor], labels: Tensor, epoch: int, split: str) -> None:
        blocks = [output for name, output in layers.items() if name != LOGITS]
        errors = torch.autograd.grad(F.cross_entropy(layers[LOGITS], labels, reduction="sum"), blocks)
        for rule, width in WIDTHS.items():
            first, second, last = (renyi.map_grams(error, width).prod(0) for error in errors)
            shared = {"near": renyi.mutual_information(last, second), "far": renyi.mutual_information(last, first)}
            values = {key: value.item() for key, value in shared.items()}
            _append(self.errors, {"epoch": epoch, "split": split, "width": rule} | values)

    def _record_maps(
        self, layers: Mapping[str, Tensor], epoch: int, split: str, rule: str, generator: torch.Generator
    ) -> None:
        x, name = self._known[split, rule][0], list(layers)[-2]
        maps = renyi.map_grams(layers[name], WIDTHS[rule])
        found = renyi.pairs_of_maps(x, maps, most=PAIRS, generator=generator)
        values = {
            "entropy": renyi.entropy(maps.prod(0)).item(),
            "redundancy_minus_synergy": found.redundancy_minus_synergy,
            "unique_plus_synergy": found.unique_plus_synergy,
        }
        _append(self.maps, {"epoch": epoch, "split": split, "width": rule, "layer": name} | values)

    def columns(self) -> dict[str, Columns]:
        """What a record keeps, by name."""
        kept = {"layers": self.rows, "errors": self.errors, "maps": self.maps}
        return {name: dict(rows) for name, rows in kept.items() if rows}


def _append(columns: Columns, row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        columns[name].append(nine_digits(value) if isinstance(value, float) else value)
