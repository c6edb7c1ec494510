"""The layers of an ONNX model: convolutions, transposed ones and matrices, in the graph's order."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from replication.core.errors import UserError
from replication.profiles.file_layer import FileLayer

CONVOLUTION, TRANSPOSED, MATRIX = "Conv", "ConvTranspose", ("MatMul", "Gemm")
THROUGH = ("Identity", "Dropout", "BatchNormalization")  # what a value goes through and stays the layer's


class OnnxGraph:
    """One model's graph: who reads which value, and the constants among them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self._constants = {each.name: each for each in model.graph.initializer}
        self._constants |= {
            node.output[0]: _attribute(node, "value")
            for node in self.nodes
            if node.op_type == "Constant" and _attribute(node, "value") is not None
        }
        self._renamed = {node.output[0]: node.input[0] for node in self.nodes if node.op_type == "Identity"}
        self._readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def constant(self, name: str) -> np.ndarray | None:
        """The numbers of a value, in float32 at least; None of one that is computed, or holds no floating point."""
        while name in self._renamed:
            name = self._renamed[name]
        if name not in self._constants:
            return None
        array = numpy_helper.to_array(self._constants[name])
        if array.dtype.kind in "iub?":
            return None
        return array if array.dtype == np.float64 else array.astype(np.float32)  # bfloat16's kind is not "f"

    def layers(self) -> Iterator[tuple[str, FileLayer]]:
        """Name and layer of each node whose weight is a constant."""
        for node in self.nodes:
            if node.op_type in (CONVOLUTION, TRANSPOSED, *MATRIX) and (layer := self._layer(node)) is not None:
                yield node.name or node.input[1], layer

    def unread(self) -> int:
        """How many convolutions have weights that are computed or packed in integers, and so have no layer here."""
        kinds = (CONVOLUTION, TRANSPOSED, "ConvInteger", "QLinearConv")
        return sum(node.op_type in kinds and self._layer(node) is None for node in self.nodes)

    def without_norm(self) -> tuple[int, int]:
        """How many convolutions have a bias and no batch norm behind them, and how many there are."""
        convolutions = [node for node in self.nodes if node.op_type == CONVOLUTION]
        bare = [node for node in convolutions if len(node.input) > 2 and not self._reaches(node, "BatchNormalization")]
        return len(bare), len(convolutions)

    def _layer(self, node: Any) -> FileLayer | None:
        weight = self.constant(node.input[1]) if len(node.input) > 1 else None
        if weight is None or weight.size == 0:
            return None
        if node.op_type in MATRIX:
            if weight.ndim != 2:
                return None
            stored_as_torch = bool(_attribute(node, "transB"))
            return FileLayer(torch.from_numpy(weight if stored_as_torch else weight.T))
        if not 3 <= weight.ndim <= 5:
            return None
        bias = self.constant(node.input[2]) if len(node.input) > 2 else None
        return FileLayer(
            torch.from_numpy(weight),
            None if bias is None else torch.from_numpy(bias),
            transposed=node.op_type == TRANSPOSED,
            groups=_attribute(node, "group") or 1,
            into_sum=self._reaches(node, "Add"),
        )

    def _reaches(self, node: Any, kind: str) -> bool:
        """Whether a node of a kind reads what this one puts out; an Add of a constant, a bias, is no sum."""
        for reader in self._readers.get(node.output[0], []):
            if reader.op_type == kind and (kind != "Add" or all(self.constant(name) is None for name in reader.input)):
                return True
            if reader.op_type in THROUGH and self._reaches(reader, kind):
                return True
        return False


def load(path: Path) -> OnnxGraph:
    """Read a model, with tensors that lie in files beside it.

    Raises:
        UserError: it cannot be read as one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions that are newer than this package
            return OnnxGraph(onnx.load(path))
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} cannot be read as an ONNX model: {reason}") from None


def read(path: Path) -> dict[str, FileLayer]:
    """The layers of a model by name; of two with one name the second gets its place in the graph.

    Raises:
        UserError: it cannot be read as one.
    """
    found: dict[str, FileLayer] = {}
    for number, (name, layer) in enumerate(load(path).layers(), 1):
        found[f"{name} ({number})" if name in found else name] = layer
    return found


def notes(path: Path) -> list[str]:
    """What a reader of such a file's profile should know of it."""
    graph = load(path)
    said = []
    bare, all_ = graph.without_norm()
    if bare:
        said.append(
            f"no batch norm follows {bare} of {all_} convolutions, which have a bias: an exporter may have folded one "
            "into a weight and kept the weight's name. Where there is the module or its state dict, profile that"
        )
    if unread := graph.unread():
        said.append(f"{unread} convolutions are left out: their weights are computed, or packed in integers")
    return said


def _attribute(node: Any, name: str) -> Any:
    found = next((each for each in node.attribute if each.name == name), None)
    return None if found is None else onnx.helper.get_attribute_value(found)
