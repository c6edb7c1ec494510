"""The small CNN as a module, of which every part can be listened to, with or without a bottleneck behind its blocks.

The same layers and the same order of operations as `small_cnn.training.model`, which says why they are fast so.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropy_guidance.bottleneck import VariationalBottleneck
from replication.core.run import Run
from replication.small_cnn.geometry import FILTER, POOL, Padding
from replication.small_cnn.training.model import CLASSES, Product, SmallCNNs
from replication.training.precision import dtype_of

LOGITS = "logits"


class Block(nn.Module):
    """3 x 3 convolution, 2 x 2 max-pooling, bias, leaky ReLU. Shape: (B, C, H, W) -> (B, O, H', W')."""

    def __init__(self, kernel_OIpq: Tensor, padding: Padding, negative_slope: float) -> None:
        super().__init__()
        outputs, inputs = kernel_OIpq.shape[:2]
        self.conv = nn.Conv2d(inputs, outputs, FILTER, padding=padding, bias=False)
        self.conv.weight = nn.Parameter(kernel_OIpq)
        self.bias = nn.Parameter(kernel_OIpq.new_zeros(outputs, 1, 1))
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(F.max_pool2d(self.conv(x), POOL) + self.bias, self.negative_slope)


class Dense(nn.Module):
    """Logits (B, K) of features (B, F), with weights (K, F)."""

    def __init__(self, weight_KF: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight_KF)
        self.bias = nn.Parameter(weight_KF.new_zeros(len(weight_KF)))

    def forward(self, features_BF: Tensor) -> Tensor:
        product_1BK: Tensor = Product.apply(features_BF[None], self.weight[None])
        return product_1BK[0] + self.bias


class Network(nn.Module):
    """Blocks, a bottleneck or none, and a dense layer that gives the logits (B, K) of images (B, C, H, H)."""

    def __init__(self, blocks: list[Block], bottleneck: VariationalBottleneck | None, dense: Dense) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.bottleneck = bottleneck
        self.dense = dense

    @classmethod
    def initial(cls, run: Run, shape: tuple[int, int, int]) -> "Network":
        """Glorot-uniform weights and zero biases; the convolutions are the same whatever the run's form.

        Args:
            shape: (C, H, H) of an image.
        """
        dtype = dtype_of(run)
        padding, slope = run["padding"], run["negative_slope"]
        drawn = SmallCNNs.initial(
            shape, run["blocks"], run["width"], [run.seed("weights")], dtype, padding=padding, negative_slope=slope
        )
        blocks = [Block(kernel_MOIpq[0], padding, slope) for kernel_MOIpq in drawn.kernels]
        weight_KF = drawn.dense_MKF[0]
        if "bottleneck_width" not in run.settings:
            return cls(blocks, None, Dense(weight_KF))
        width, noise = run["bottleneck_width"], run["form"] == "bottleneck"
        bottleneck = VariationalBottleneck(weight_KF.shape[1], width, noise=noise)
        dense = Dense(torch.empty(CLASSES, width))
        generator = torch.Generator().manual_seed(run.seed("head"))
        layers: list[Dense | nn.Linear] = [dense, bottleneck.mean]
        layers += [bottleneck.rho] if bottleneck.rho is not None else []
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            nn.init.zeros_(layer.bias)
        return cls(blocks, bottleneck.to(dtype), dense.to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)[LOGITS]

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        """What each block gives, `block1` first, and the logits."""
        found = {}
        for number, block in enumerate(self.blocks, 1):
            found[f"block{number}"] = x = block(x)
        features_BF = x.movedim(1, -1).flatten(1)  # in Keras's order: rows, columns, maps
        if self.bottleneck is not None:
            features_BF = self.bottleneck(features_BF)
        return found | {LOGITS: self.dense(features_BF)}


def images_of(images_BHWC: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 -> pixels in [0, 1], (B, C, H, W), channels last in memory."""
    return (images_BHWC.to(dtype) / 255).movedim(-1, 1)
