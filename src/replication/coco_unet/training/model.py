"""U-Net after Ronneberger in the layer order that the paper's numbers imply (section 5.5).

Counted as Keras counts, from the input as 0: convolution 1, dropout 2, convolution 3, pooling 4, and so on, so that 3,
7, 11, 15 are the second convolutions of the encoder levels, 19 the bottleneck's, 24, 29, 34, 39 the decoder's.

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


def keras_layers(model: UNet) -> list[str]:
    """Names of the layers in the order in which Keras counts them: number k of the paper is item k, 0 is the input.

    What is no module here has a name in brackets.
    """
    blocks = [f"encoder.{level}" for level in range(len(model.encoder))]
    names = ["(input)"]
    for block in blocks:
        names += [f"{block}.conv1", f"{block}.dropout", f"{block}.conv2", "pool"]
    names += ["bottleneck.conv1", "bottleneck.dropout", "bottleneck.conv2"]
    for level in range(len(model.decoder)):
        block = f"decoder.{level}"
        names += [f"up.{level}", "(concatenation)", f"{block}.conv1", f"{block}.dropout", f"{block}.conv2"]
    return [*names, "output"]


def layers_by_number(model: UNet, numbers: Sequence[int]) -> list[str]:
    """Names of the convolutions that the paper's layer numbers mean (section 5.5), counted as Keras counts.

    A dropout has no weights to guide: its number means the convolution whose output it passes on. That reads the
    paper's placement [2] as the first convolution, and [2, 3] as both of the first level (assumption unet-layer-2).

    Raises:
        ValueError: a number that is no layer's, or that of a layer without a convolution.
    """
    names = keras_layers(model)
    found = []
    for number in numbers:
        name = names[number] if 0 <= number < len(names) else f"nothing: the last is {len(names) - 1}"
        if name.endswith(".dropout"):
            name = name.removesuffix("dropout") + "conv1"
        if not isinstance(dict(model.named_modules()).get(name), nn.Conv2d):
            raise ValueError(f"layer number {number} is no convolution but {name}")
        found.append(name)
    return list(dict.fromkeys(found))
