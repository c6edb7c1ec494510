"""A ResNet of 8 layers: a stem, three blocks of two 3 x 3 convolutions, a dense layer; a batch norm behind each
convolution.
"""

import torch
from torch import Tensor, nn

CLASSES = 10


class Block(nn.Module):
    """(B, I, H, W) -> (B, O, H/step, W/step); where the sizes change, the skip is a 1 x 1 convolution with a norm."""

    def __init__(self, inputs: int, outputs: int, step: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, step, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.skip: nn.Module = nn.Identity()
        if step > 1:
            self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, step, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        inside = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(inside + self.skip(x))


class SmallResNet(nn.Module):
    """Images (B, C, H, W) -> logits (B, 10)."""

    def __init__(self, colours: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(colours, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2))
        self.dense = nn.Linear(4 * width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(torch.relu(self.norm(self.conv(x))))
        logits: Tensor = self.dense(x.mean((2, 3)))
        return logits


def initial(colours: int, width: int, seed: int) -> SmallResNet:
    """Glorot-uniform weights, zero biases, norms that leave what they normalise."""
    network, generator = SmallResNet(colours, width), torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
    nn.init.zeros_(network.dense.bias)
    return network
