"""Weights in files: state dicts of torch (.pt, .pth, .safetensors), Keras's .h5 and ONNX models, as layers."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from replication.core.errors import UserError
from replication.profiles.file_layer import FileLayer

KERAS = (".h5", ".hdf5")
ONNX = ".onnx"
SAFETENSORS = ".safetensors"
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # what is packed in 8 bits is no weight yet
# Keras's layout to torch's: kernels (p, q, I, O) become (O, I, p, q), matrices (I, O) become (O, I). Of a transposed
# convolution Keras stores (p, q, O, I), which becomes (I, O, p, q) by the same step.
FROM_KERAS: dict[int, Callable[[Tensor], Tensor]] = {
    5: lambda kernel: kernel.permute(4, 3, 0, 1, 2),
    4: lambda kernel: kernel.permute(3, 2, 0, 1),
    2: torch.t,
}
# What people call a transposed convolution, and an embedding, in the last two parts of a name.
TRANSPOSED = re.compile(r"(^|[._])(up|up_?conv|up_?sampl\w*|deconv\w*|\w*transp\w*)_?\d*([._]|$)", re.IGNORECASE)
EMBEDDING = re.compile(r"embed|(^|\.)w[tp]e\.", re.IGNORECASE)


def layers(path: Path) -> dict[str, FileLayer]:
    """The convolutions, transposed ones and dense layers of a file, by the names that it has.

    A state dict does not say what a tensor is for. Here one of two dimensions is a dense layer's, unless its name says
    that it is an embedding's; one of four or five is a convolution's, unless the length of the bias beside it says that
    it is stored as a transposed one's, or, where that does not tell, its name does and its filter has an even side.

    Raises:
        UserError: there is no such file, it cannot be read, or it holds no such layer.
    """
    if not path.is_file():
        raise UserError(f"no file {path}")
    if path.suffix == ONNX:
        from replication.profiles import onnx_file

        found = onnx_file.read(path)
    else:
        found = keras(path) if is_keras(path) else dict(_layers_of(state_dict(path)))
    if not found:
        raise UserError(
            f"{path} holds no weights of a convolution (four or five dimensions) or of a dense layer (two), in 16 to "
            "64 bits: give the state dict of a network"
        )
    return found


def notes(path: Path) -> list[str]:
    """What a reader of the file's profile should know of it."""
    if path.suffix == SAFETENSORS:
        return ["A .safetensors file keeps no order of its tensors: layers are sorted by their names and numbers"]
    if path.suffix == ONNX:
        from replication.profiles import onnx_file

        return onnx_file.notes(path)
    return []


def is_keras(path: Path) -> bool:
    return path.suffix in KERAS


def state_dict(path: Path) -> dict[str, Any]:
    """What a state dict holds, or the one under `state_dict` in a checkpoint; `module.` before a name is left out.

    Of a .safetensors file, which is sorted by types and letters, by the numbers in its names.

    Raises:
        UserError: it cannot be read as one.
    """
    try:
        loaded: Any
        if path.suffix == SAFETENSORS:
            loaded = dict(sorted(load_file(path).items(), key=lambda item: _natural(item[0])))
        else:
            loaded = torch.load(path, "cpu", weights_only=True)
        return {name.removeprefix("module."): tensor for name, tensor in loaded.get("state_dict", loaded).items()}
    except Exception as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]  # torch goes on with how to run what a file holds
        raise UserError(f"{path} cannot be read as a state dict (.pt, .pth or .safetensors): {reason}") from None


def keras(path: Path) -> dict[str, FileLayer]:
    """Convolutions and dense layers of a Keras file, in the file's order, or that of their numbers in a .weights.h5.

    Raises:
        UserError: it cannot be read as one.
    """
    import h5py  # no training needs it, and not every machine with a GPU has it

    found: dict[str, FileLayer] = {}
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            stored = _by_layer_names(root) if "layer_names" in root.attrs else _by_folders(root)
            for name, arrays in stored:
                if arrays and arrays[0].ndim in FROM_KERAS:
                    kernel, *bias = (_floats(array) for array in arrays[:2])
                    weight, beside = FROM_KERAS[kernel.ndim](kernel), bias[0] if bias else None
                    transposed = weight.ndim > 2 and _is_transposed(name, weight, beside)
                    found[name] = FileLayer(weight, beside, transposed=transposed)
    except (OSError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read as a Keras weights file: {error}") from None
    return found


def _by_layer_names(root: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The layout of Keras 1 and 2: names in attributes."""
    for layer in (_text(name) for name in root.attrs["layer_names"]):
        yield layer, [np.asarray(root[layer][_text(name)]) for name in root[layer].attrs["weight_names"]]


def _by_folders(root: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The layout of Keras 3, a folder `vars` a layer, which has no order but the numbers in names."""
    folders: list[str] = []
    root.visititems(lambda name, node: folders.append(name) if name.endswith("vars") and len(node) else None)
    for name in sorted(folders, key=_natural):
        arrays = [np.asarray(root[name][key]) for key in sorted(root[name], key=_natural)]
        yield name.removesuffix("/vars").removeprefix("layers/"), arrays


def _natural(name: str) -> list[tuple[str, int]]:
    """A key that sorts conv2d before conv2d_2 before conv2d_10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"([^\d]+)(\d*)|\d+", f" {name}")]


def _floats(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array if array.dtype == np.float64 else array.astype(np.float32))


def _layers_of(state: Mapping[str, Any]) -> Iterator[tuple[str, FileLayer]]:
    for name, tensor in state.items():
        if not _is_weight(tensor):
            continue
        if tensor.ndim == 2:
            yield name, FileLayer(tensor, embedding=EMBEDDING.search(name) is not None)
            continue
        bias = state.get(f"{name.removesuffix('weight')}bias") if name.endswith("weight") else None
        transposed = _is_transposed(name.removesuffix(".weight"), tensor, bias)
        outputs = len(bias) if bias is not None else tensor.shape[1]
        groups = max(1, outputs // tensor.shape[1]) if transposed else 1
        yield name, FileLayer(tensor, bias, transposed=transposed, groups=groups)


def _is_transposed(name: str, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether a kernel is stored as (I, O of a group, *filter)."""
    if bias is not None and len(bias) != len(weight):
        return len(bias) % weight.shape[1] == 0
    named = TRANSPOSED.search(".".join(re.split(r"[./]", name)[-2:])) is not None
    return named and any(side % 2 == 0 for side in weight.shape[2:])


def _is_weight(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim in FROM_KERAS and value.numel() > 0 and value.dtype in FLOATS


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
