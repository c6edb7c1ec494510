"""An independent witness of closed forms: the change of entropy estimated from samples, in few dimensions."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor
from torch.nn import functional as F

from replication.statistics.entropy_estimators import nearest_neighbour_entropy
from replication.theory.layers import conv_row, dense_row, glorot, stream
from replication.theory.record import Row

Array = NDArray[np.float64]
Layer = Callable[[Tensor], Tensor]  # (n, inputs) -> (n, outputs)

# Covariance of a Gaussian input of d numbers.
LAWS: dict[str, Callable[[int], Array]] = {
    "white": np.eye,
    "deviation 3": lambda d: 9 * np.eye(d),
    "correlation 0.8": lambda d: 0.8 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d))),
}
# (O, I), or (O, I, p, q) and an image: at most four numbers go in and come out.
DENSE = ((1, 3), (2, 4), (2, 2), (3, 3), (3, 2), (4, 2))
CONVOLUTIONS = (((1, 1, 1, 2), (2, 2)), ((1, 1, 2, 2), (2, 2)), ((1, 2, 1, 2), (1, 2)), ((2, 2, 1, 2), (1, 2)))
MAX_CONDITION = 10.0  # of a layer's matrix: nearest neighbours say little about a needle


def witness(samples: int, repeats: int) -> Iterator[Row]:
    """Small layers under each law of the input: the layer's row without `others`, and H(output) - H(input) twice.

    closed: of Gaussians, by scipy; estimate: by nearest neighbours from `samples` points, mean over `repeats` with
    its standard error. A tall layer's output is taken in coordinates of the subspace in which it lies.
    """
    rng = stream("witness")
    draws = [partial(_dense, rng, shape) for shape in DENSE]
    draws += [partial(_conv, rng, shape, image) for shape, image in CONVOLUTIONS]
    for row, layer, matrix in map(_well_conditioned, draws):
        subspace = np.linalg.qr(matrix)[0] if row["outputs"] > row["inputs"] else np.eye(row["outputs"])
        for law, covariance in LAWS.items():
            before = covariance(row["inputs"])
            after = subspace.T @ matrix @ before @ matrix.T @ subspace
            changes = [_estimate(rng, layer, before, subspace, samples) for _ in range(repeats)]
            yield {
                **{name: row[name] for name in ("shape", "outputs", "inputs", "formula", "exact")},
                "law": law,
                "closed": float(_gaussian_entropy(after) - _gaussian_entropy(before)),
                "estimate": float(np.mean(changes)),
                "standard_error": float(stats.sem(changes)),
            }


def _gaussian_entropy(covariance: Array) -> float:
    return float(stats.multivariate_normal(cov=covariance).entropy())


def _estimate(rng: Generator, layer: Layer, covariance: Array, subspace: Array, samples: int) -> float:
    inputs = rng.standard_normal((samples, len(covariance))) @ np.linalg.cholesky(covariance).T
    outputs = layer(torch.from_numpy(inputs)).numpy() @ subspace
    return nearest_neighbour_entropy(outputs) - nearest_neighbour_entropy(inputs)


def _well_conditioned(draw: Callable[[], tuple[Row, Layer]]) -> tuple[Row, Layer, Array]:
    """The first layer drawn that is, and its matrix: the images of the unit vectors."""
    while True:
        row, layer = draw()
        matrix = layer(torch.eye(row["inputs"], dtype=torch.float64)).numpy().T
        if np.linalg.cond(matrix) <= MAX_CONDITION:
            return row, layer, matrix


def _dense(rng: Generator, shape: tuple[int, int]) -> tuple[Row, Layer]:
    weight = glorot(rng, *shape)
    return dense_row(weight), lambda inputs: F.linear(inputs, weight)


def _conv(rng: Generator, shape: tuple[int, ...], image: tuple[int, int]) -> tuple[Row, Layer]:
    kernel = glorot(rng, *shape)
    return conv_row(kernel, image, "valid"), lambda inputs: F.conv2d(
        inputs.reshape(-1, shape[1], *image), kernel
    ).flatten(1)
