"""U-Net after Ronneberger in the layer order that the paper's numbers imply (section 5.5; see `layer_numbers`).

Shapes: B images, C channels, H x W pixels; H and W are multiples of 2^levels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

WIDTHS = (64, 128, 256, 512, 1024)  # Ronneberger's


class Block(nn.Module):
    """Convolution, dropout, convolution, each 3 x 3, padding "same", with ReLU."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.dropout(self.conv1(x).relu())).relu()


class Sigmoid(nn.Module):
    """In float32 at least: in bfloat16 a sigmoid is 1 from 6.2 on, without a gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.float() if x.dtype == torch.bfloat16 else x).sigmoid()


class UNet(nn.Module):
    """Image (B, 3, H, W) -> probability of "object" at every pixel (B, 1, H, W)."""

    def __init__(self, widths: Sequence[int] = WIDTHS, dropout: float = 0.1) -> None:
        super().__init__()
        *encoder, bottleneck = widths
        self.encoder = nn.ModuleList(
            Block(inputs, width, dropout) for inputs, width in zip((3, *encoder[:-1]), encoder, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = Block(encoder[-1], bottleneck, dropout)
        below = (bottleneck, *reversed(encoder[1:]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(inputs, width, 2, stride=2)
            for inputs, width in zip(below, reversed(encoder), strict=True)
        )
        self.decoder = nn.ModuleList(Block(2 * width, width, dropout) for width in reversed(encoder))
        self.output = nn.Conv2d(encoder[0], 1, 1)
        self.sigmoid = Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for up, block, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = block(torch.cat([skip, up(x)], dim=1))
        return self.sigmoid(self.output(x))
