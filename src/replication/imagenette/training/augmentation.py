"""Random flip, rotation and zoom of a batch, each image its own, on the images' device (paper, section 5.4).

What Keras's layers RandomFlip("horizontal"), RandomRotation(0.2) and RandomZoom(0.2) do one after the other, done in
one resampling. torchvision's transforms draw one transform for a whole batch; here each image has its own.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

LARGEST_TURN = 0.2  # of a full turn, either way
LARGEST_ZOOM = 0.2  # of the image's side, in or out


def augment(x_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Square images, transformed at random.

    Args:
        generator: of the CPU, whatever the images' device: the same transforms on every device.
    """
    flips, turns, zooms = torch.rand(3, len(x_BCHW), generator=generator, dtype=torch.float64)
    return transform(
        x_BCHW,
        flips < 0.5,
        (2 * turns - 1) * LARGEST_TURN * 2 * math.pi,
        1 + (2 * zooms - 1) * LARGEST_ZOOM,
    )


def transform(x_BCHW: Tensor, flipped_B: Tensor, angle_B: Tensor, zoom_B: Tensor) -> Tensor:
    """Flip each square image left to right where `flipped`, then turn it by `angle`, then zoom.

    Bilinear, about the centre. What comes from outside is mirrored at the edge (d c b a | a b c d | d c b a), which is
    Keras's fill mode "reflect".

    Args:
        angle_B: radians, clockwise on the screen.
        zoom_B: above 1 out, below 1 in: the share of the side that is seen.
    """
    assert x_BCHW.shape[2] == x_BCHW.shape[3]
    cos, sin = zoom_B * angle_B.cos(), zoom_B * angle_B.sin()
    side = torch.where(flipped_B, -1.0, 1.0)
    # Where an output pixel comes from, (x, y) in half sides from the centre
    rows = [torch.stack([side * cos, side * sin], dim=1), torch.stack([-sin, cos], dim=1)]
    theta_B23 = F.pad(torch.stack(rows, dim=1), (0, 1)).to(x_BCHW.dtype)
    if x_BCHW.is_cuda:
        theta_B23 = theta_B23.pin_memory()  # else the copy waits for all that the GPU has still to do
    theta_B23 = theta_B23.to(x_BCHW.device, non_blocking=True)
    grid = F.affine_grid(theta_B23, list(x_BCHW.shape), align_corners=False)
    sampled = F.grid_sample(x_BCHW, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return sampled.contiguous(memory_format=torch.channels_last)
