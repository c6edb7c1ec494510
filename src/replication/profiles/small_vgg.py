"""A narrow network in VGG's manner, for the demo: pairs of 3 x 3 convolutions with ReLU, each pair pooled."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SmallVGG(nn.Module):
    """Images (B, C, H, W) -> class scores (B, K). The classifier sees each channel's mean."""

    def __init__(self, inputs: int = 1, widths: Sequence[int] = (16, 32, 64, 64), classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in zip((inputs, *widths[:-1]), widths, strict=True):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers[:-1])
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(torch.mean(self.features(x), dim=(2, 3)))
        return scores
