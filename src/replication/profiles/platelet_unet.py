"""The 3-D U-Net for platelets whose weights `weights fetch platelet-unet` brings, with its batch norms folded or not.

Five levels: two 3 x 3 x 3 convolutions each, every one with a batch norm behind it; pooling by 2, of the first axis
at the bottom alone; channel by channel transposed convolutions on the way up; sigmoid outputs. Written from the
package's (BSD-3): poolings pad rows and columns by one, and what is too much is cut off again on the way up.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from replication.core.errors import UserError
from replication.profiles.weights_file import state_dict

WIDTHS = (32, 64, 128, 256, 256)
OUTPUTS = 5
FLAT, ALL = (1, 2, 2), (2, 2, 2)  # steps of a pooling


class Level(nn.Module):
    """Convolution, norm, ReLU, twice; (B, I, D, H, W) -> (B, O, D, H, W). At the end a sigmoid takes ReLU's place."""

    def __init__(self, inputs: int, outputs: int, *, last: bool = False) -> None:
        super().__init__()
        self.conv0, self.batch0 = nn.Conv3d(inputs, outputs, 3, padding=1), nn.BatchNorm3d(outputs)
        self.conv1, self.batch1 = nn.Conv3d(outputs, outputs, 3, padding=1), nn.BatchNorm3d(outputs)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        x = self.batch1(self.conv1(torch.relu(self.batch0(self.conv0(x)))))
        return torch.sigmoid(x) if self.last else torch.relu(x)

    def pairs(self) -> list[tuple[nn.Conv3d, nn.BatchNorm3d]]:
        """Each convolution and its norm."""
        return [(self.conv0, self.batch0), (self.conv1, self.batch1)]


class PlateletUNet(nn.Module):
    """Volumes (B, 1, D, H, W) -> maps (B, 5, D, H, W); D even, H and W multiples of 16. Parameters as in the file."""

    def __init__(self) -> None:
        super().__init__()
        one, two, three, four, five = WIDTHS
        self.c0, self.c1, self.c2 = Level(1, one), Level(one, two), Level(two, three)
        self.c3, self.c4 = Level(three, four), Level(four, five)
        self.c5_0, self.c6_0 = Level(five + four, three), Level(2 * three, two)
        self.c7_0, self.c8_0 = Level(2 * two, one), Level(2 * one, OUTPUTS, last=True)
        self.up0, self.up1 = _up(five, ALL), _up(three, FLAT)
        self.up2, self.up3 = _up(two, FLAT), _up(one, FLAT)

    def forward(self, x: Tensor) -> Tensor:
        first = self.c0(x)
        second = self.c1(_pooled(first, FLAT))
        third = self.c2(_pooled(second, FLAT))
        fourth = self.c3(_pooled(third, FLAT))
        x = self.c4(_pooled(fourth, ALL))
        x = self.c5_0(_joined(self.up0(x)[..., :-1, :-1], fourth))
        x = self.c6_0(_joined(self.up1(x)[..., :-1, :-1], third))
        x = self.c7_0(_joined(self.up2(x)[..., :-1, :-1], second))
        out: Tensor = self.c8_0(_joined(self.up3(x)[..., 1:-1, 1:-1], first))
        return out

    def pairs(self) -> list[tuple[nn.Conv3d, nn.BatchNorm3d]]:
        """Each 3 x 3 x 3 convolution and the norm behind it, in the order in which a volume meets them."""
        return [pair for level in self.children() if isinstance(level, Level) for pair in level.pairs()]


def load(path: Path) -> PlateletUNet:
    """The trained network, in evaluation mode and float64.

    Raises:
        UserError: the file is not there, or holds another network's weights.
    """
    network = PlateletUNet()
    try:
        network.load_state_dict(state_dict(path))
    except RuntimeError as error:
        raise UserError(f"{path} does not fit the network: {str(error).partition(chr(10))[0]}") from None
    return network.eval().double()


@torch.no_grad()
def fold_(network: PlateletUNet) -> None:
    """Multiply each norm, as it is in evaluation, into the convolution before it; what stays there does nothing."""
    for convolution, norm in network.pairs():
        assert norm.running_mean is not None and norm.running_var is not None and convolution.bias is not None
        factors = norm.weight / (norm.running_var + norm.eps).sqrt()
        convolution.weight.mul_(factors[:, None, None, None, None])
        convolution.bias.copy_((convolution.bias - norm.running_mean) * factors + norm.bias)
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)
        norm.weight.fill_(1)
        norm.bias.zero_()


@torch.no_grad()
def rescale_(network: PlateletUNet, log_factors: list[float]) -> None:
    """Multiply each convolution by a factor of its own, which the norm behind it divides out."""
    for (convolution, norm), log_factor in zip(network.pairs(), log_factors, strict=True):
        assert norm.running_mean is not None and convolution.bias is not None
        factor = torch.tensor(log_factor, dtype=torch.float64).exp()
        convolution.weight.mul_(factor)
        convolution.bias.mul_(factor)
        norm.running_mean.mul_(factor)
        norm.weight.div_(factor)


def noise_volumes(seed: int, number: int = 2, size: tuple[int, int, int] = (4, 32, 32)) -> Tensor:
    """Uniform noise, (B, 1, D, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(number, 1, *size, generator=generator, dtype=torch.float64)


def _up(channels: int, steps: tuple[int, int, int]) -> nn.ConvTranspose3d:
    return nn.ConvTranspose3d(channels, channels, steps, stride=steps, groups=channels)


def _pooled(x: Tensor, steps: tuple[int, int, int]) -> Tensor:
    return nn.functional.max_pool3d(x, steps, stride=steps, padding=(0, 1, 1))


def _joined(x: Tensor, skipped: Tensor) -> Tensor:
    return torch.cat([x, skipped], 1)
