"""Other weights of the same function: one factor a layer, or pixels in other units, and outputs that stay.

ReLU lets a positive factor through, and so does max-pooling: multiply a convolution by f, divide the next one by it,
and no output changes. What is changed here is checked by running both networks in float64.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

PIXEL_RANGE = 255.0  # pixels of 0 to 255 in place of 0 to 1: log 255 = 5.5 nats of the first layer
KERAS_MEANS = (103.939, 116.779, 123.68)  # of blue, green and red, that VGG16 subtracts
NSFW_MEANS = (104.0, 117.0, 123.0)  # and open-nsfw


def mirrored(means: Sequence[float]) -> list[float]:
    """Log factors that give each layer of a chain the mean of its mirror image: their sum is 0."""
    return [other - own for own, other in zip(means, reversed(means), strict=True)]


def turned_over(means: Sequence[float]) -> list[float]:
    """Log factors that turn a profile upside down about its own mean."""
    return [2 * (float(np.mean(means)) - own) for own in means]


def largest_difference(a: Any, b: Any) -> float:
    """Of two outputs, in shares of the largest absolute one."""
    return float(np.abs(a - b).max() / np.abs(a).max())


def blue_first(images: np.ndarray, means: Sequence[float]) -> np.ndarray:
    """uint8 (N, H, W, RGB) -> float64 (N, H, W, BGR) without the channels' means."""
    return images[..., ::-1].astype(np.float64) - np.array(means)


@torch.no_grad()
def rescale_chain_(convolutions: Sequence[nn.Conv2d], log_factors: Sequence[float]) -> None:
    """Multiply each convolution of a chain by its factor; a bias meets all factors so far."""
    total = 0.0
    for convolution, log_factor in zip(convolutions, log_factors, strict=True):
        total += log_factor
        convolution.weight.mul_(float(np.exp(log_factor)))
        if convolution.bias is not None:
            convolution.bias.mul_(float(np.exp(total)))


@torch.no_grad()
def features(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """What VGG16's convolutions make of images (N, H, W, BGR)."""
    inputs: Tensor = torch.from_numpy(images).permute(0, 3, 1, 2)
    out: Tensor = network.get_submodule("features")(inputs)
    return out.numpy()


class OnnxNetwork:
    """An ONNX model in float64 that can be run and rescaled."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.weights = {
            each.name: numpy_helper.to_array(each).astype(np.float64)
            for each in model.graph.initializer
            if each.data_type == onnx.TensorProto.FLOAT
        }

    def output(self, images: np.ndarray) -> np.ndarray:
        """Of images (N, H, W, C), one by one."""
        changed = onnx.ModelProto()
        changed.CopyFrom(self.model)
        for each in changed.graph.initializer:
            if each.name in self.weights:
                each.CopyFrom(numpy_helper.from_array(self.weights[each.name], each.name))
        runner: Any = ReferenceEvaluator(changed)
        name = self.model.graph.input[0].name
        return np.concatenate([runner.run(None, {name: image[None]})[0] for image in images])

    def blocks(self) -> list[tuple[Any, Any, Any]]:
        """The three convolutions of each bottleneck block: nodes, each with a ReLU between it and the next."""
        made_by = {node.output[0]: node for node in self.model.graph.node}
        found = []
        for node in self.model.graph.node:
            if node.op_type != "Add":
                continue
            for name in node.input:
                last = made_by.get(name)
                middle = self._before(last, made_by)
                first = self._before(middle, made_by)
                if first is not None:
                    found.append((first, middle, last))
        return found

    def rescale_(self, node: Any, log_factor: float, log_before: float = 0.0) -> None:
        """Multiply a convolution by a factor; its bias meets that of its input too."""
        weight, bias = node.input[1:3]
        self.weights[weight] = self.weights[weight] * np.exp(log_factor)
        self.weights[bias] = self.weights[bias] * np.exp(log_factor + log_before)

    def _before(self, node: Any, made_by: dict[str, Any]) -> Any:
        """The convolution whose ReLU a convolution reads; None where there is no such chain."""
        if node is None or node.op_type != "Conv":
            return None
        relu = made_by.get(node.input[0])
        if relu is None or relu.op_type != "Relu":
            return None
        before = made_by.get(relu.input[0])
        return before if before is not None and before.op_type == "Conv" else None
