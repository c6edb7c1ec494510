"""Weights in files: state dicts of torch (.pt, .pth, .safetensors) and Keras's .h5, as tensors in torch's layout."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from replication.core.errors import UserError

KERAS = (".h5", ".hdf5")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # what is packed in 8 bits is no weight yet
# Keras's layout to torch's: kernels (p, q, I, O) become (O, I, p, q), matrices (I, O) become (O, I).
FROM_KERAS: dict[int, Callable[[Tensor], Tensor]] = {4: lambda kernel: kernel.permute(3, 2, 0, 1), 2: torch.t}


def matrices(path: Path) -> dict[str, Tensor]:
    """The weights of a file's convolutions (O, I, p, q) and dense layers (O, I), by the names that the file has.

    A state dict does not say what a tensor is for: every one of four dimensions is taken for a convolution's weight,
    every one of two for a dense layer's. Those of an embedding, or of a transposed convolution, look the same.

    Raises:
        UserError: there is no such file, it cannot be read, or it holds no such tensor.
    """
    if not path.is_file():
        raise UserError(f"no file {path}")
    tensors = {name: weight for name, (weight, _) in keras(path).items()} if is_keras(path) else state_dict(path)
    found = {name: tensor for name, tensor in tensors.items() if _is_matrix(tensor)}
    if not found:
        raise UserError(
            f"{path} holds no weights of a convolution (four dimensions) or of a dense layer (two), in 16 to 64 bits: "
            "give the state dict of a network"
        )
    return found


def is_keras(path: Path) -> bool:
    return path.suffix in KERAS


def state_dict(path: Path) -> dict[str, Any]:
    """What a state dict holds, or the one under `state_dict` in a checkpoint; `module.` before a name is left out.

    Raises:
        UserError: it cannot be read as one.
    """
    try:
        loaded: Any = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        return {name.removeprefix("module."): tensor for name, tensor in loaded.get("state_dict", loaded).items()}
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} cannot be read as a state dict (.pt, .pth or .safetensors): {reason}") from None


def keras(path: Path) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Convolutions and dense layers of a Keras file: name -> (weight in torch's layout, bias (O,) or None), in the
    file's order.

    Raises:
        UserError: it cannot be read as one.
    """
    found: dict[str, tuple[Tensor, Tensor | None]] = {}
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            for layer in (_text(name) for name in root.attrs["layer_names"]):
                arrays = [np.asarray(root[layer][_text(name)]) for name in root[layer].attrs["weight_names"]]
                if arrays and arrays[0].ndim in FROM_KERAS:
                    weight, *bias = map(torch.from_numpy, arrays[:2])
                    found[layer] = (FROM_KERAS[weight.ndim](weight), bias[0] if bias else None)
    except (OSError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path} cannot be read as a Keras weights file: {error}") from None
    return found


def _is_matrix(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim in (2, 4) and value.numel() > 0 and value.dtype in FLOATS


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
