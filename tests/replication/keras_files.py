"""Weights files as Keras writes them, for the tests of profiles."""

import h5py
import numpy as np
from torch import nn

from replication.profiles.small_vgg import SmallVGG


def write_keras(path, convolutions, *, nested=False):
    """A Keras weights file: layer -> (kernel (p, q, in, out), bias)."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if nested else file
        root.attrs["layer_names"] = [name.encode() for name in ["input_1", *convolutions, "pool"]]
        for name in ("input_1", "pool"):
            root.create_group(name).attrs["weight_names"] = []
        for name, (kernel, bias) in convolutions.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}_W_1:0".encode(), f"{name}_b_1:0".encode()]
            group[f"{name}_W_1:0"], group[f"{name}_b_1:0"] = kernel, bias


def keras_arrays(shapes, seed=0):
    generator = np.random.default_rng(seed)
    return {
        name: (
            generator.normal(size=(*shape[2:], shape[1], shape[0])).astype(np.float32),
            generator.normal(size=shape[0]).astype(np.float32),
        )
        for name, shape in shapes.items()
    }


def small_vgg_shapes():
    return {
        f"block_conv{k}": tuple(m.weight.shape)
        for k, m in enumerate(m for m in SmallVGG().modules() if isinstance(m, nn.Conv2d))
    }
