"""Small CNN classifiers, as a stack of M equal models (paper, section 5.3, Table 1).

Each block is a 3 x 3 convolution with stride 1, a leaky ReLU and a 2 x 2 max-pooling; a dense softmax layer reads the
last block. Shape legend: M models, B batch, C channels of the image, O filters, K classes, F features.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from replication.small_cnn.geometry import FILTER, POOL, Padding, feature_sides

CLASSES = 10


@dataclass
class SmallCNNs:
    """Parameters of M classifiers. Kernels (M, O, I, 3, 3) and biases (M, O) by block, then the softmax layer's."""

    kernels: list[Tensor]
    biases: list[Tensor]
    dense_MKF: Tensor
    dense_bias_M1K: Tensor
    padding: Padding
    negative_slope: float

    @classmethod
    def initial(
        cls,
        shape: tuple[int, int, int],
        blocks: int,
        width: int,
        seeds: list[int],
        dtype: torch.dtype,
        *,
        padding: Padding,
        negative_slope: float,
    ) -> "SmallCNNs":
        """Glorot-uniform weights and zero biases (Keras's defaults), one seed a model.

        Drawn on the CPU in float32 whatever the device and precision, so that all of them start from the same values.

        Args:
            shape: (C, H, H) of an image.
        """
        side = feature_sides(shape[1], blocks, padding)[-1]
        inputs = [shape[0], *[width] * (blocks - 1)]
        shapes = [(width, channels, FILTER, FILTER) for channels in inputs] + [(CLASSES, width * side**2)]
        drawn: list[list[Tensor]] = [[] for _ in shapes]
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            for tensors, size in zip(drawn, shapes, strict=True):
                tensors.append(nn.init.xavier_uniform_(torch.empty(size), generator=generator))
        *kernels, dense = (torch.stack(tensors).to(dtype) for tensors in drawn)
        return cls(
            kernels,
            [torch.zeros(len(seeds), width, dtype=dtype) for _ in range(blocks)],
            dense,
            torch.zeros(len(seeds), 1, CLASSES, dtype=dtype),
            padding,
            negative_slope,
        )

    def to(self, device: torch.device) -> "SmallCNNs":
        """The same models on a device."""
        return replace(
            self,
            kernels=[kernel.to(device) for kernel in self.kernels],
            biases=[bias.to(device) for bias in self.biases],
            dense_MKF=self.dense_MKF.to(device),
            dense_bias_M1K=self.dense_bias_M1K.to(device),
        )

    def tensors(self) -> list[Tensor]:
        """Every parameter; the models are the first dimension of each."""
        return [*self.kernels, *self.biases, self.dense_MKF, self.dense_bias_M1K]

    def scores(self, x: Tensor) -> Tensor:
        """Class scores (M, B, K) of images (B, M C, H, H), the channels of a model side by side.

        Bias and leaky ReLU follow the pooling: both keep the order of numbers, so the largest of four is the same one
        and its value too, and there are a quarter as many left. The features are in Keras's order: rows, columns,
        filters.
        """
        models = len(self.dense_MKF)
        for kernel_MOIpq, bias_MO in zip(self.kernels, self.biases, strict=True):
            x = F.conv2d(x, kernel_MOIpq.flatten(0, 1), padding=self.padding, groups=models)
            x = F.leaky_relu(F.max_pool2d(x, POOL) + bias_MO.flatten()[:, None, None], self.negative_slope)
        features_MBF = x.movedim(1, -1).unflatten(-1, (models, -1)).movedim(-2, 0).flatten(2)
        return Product.apply(features_MBF, self.dense_MKF) + self.dense_bias_M1K


class Product(torch.autograd.Function):
    """(M, B, F) features times (M, K, F) weights, transposed -> (M, B, K).

    Autograd's own backward pass makes the gradient of the weights as (F, K), thin columns that take MKL about six times
    as long as (K, F): a tenth of a whole step with 1 block and 32 filters.
    """

    @staticmethod
    def forward(ctx: Any, features_MBF: Tensor, weights_MKF: Tensor) -> Tensor:
        ctx.save_for_backward(features_MBF, weights_MKF)
        return torch.bmm(weights_MKF, features_MBF.mT).mT

    @staticmethod
    def backward(ctx: Any, grad_MBK: Tensor) -> tuple[Tensor, Tensor]:
        features_MBF, weights_MKF = ctx.saved_tensors
        return torch.bmm(grad_MBK, weights_MKF), torch.bmm(grad_MBK.mT, features_MBF)
