"""Entropy-based guidance of neural networks: entropy changes of layers, and penalties on them.

The method of Meni, White, Mayo and Pilkiewicz (arXiv 2308.14938), for any torch model. Entropies are
differential entropies in nats.
"""

from entropy_guidance.conv import conv_entropy_change, convolution_matrix, exact_conv_entropy_change
from entropy_guidance.dense import completed_dense_map, dense_entropy_change, exact_dense_entropy_change, square_part
from entropy_guidance.guidance import EntropyGuidance, penalty
from entropy_guidance.profile import Profile, box_plot, compare, profile

__all__ = [
    "EntropyGuidance",
    "Profile",
    "box_plot",
    "compare",
    "completed_dense_map",
    "conv_entropy_change",
    "convolution_matrix",
    "dense_entropy_change",
    "exact_conv_entropy_change",
    "exact_dense_entropy_change",
    "penalty",
    "profile",
    "square_part",
]
