"""Entropy-based guidance of neural networks: entropy changes of layers, and penalties on them.

The method of Meni, White, Mayo and Pilkiewicz (arXiv 2308.14938), for any torch model. Entropies are
differential entropies in nats.
"""

from entropy_guidance.dense import dense_entropy_change, square_part
from entropy_guidance.guidance import EntropyGuidance, penalty

__all__ = ["EntropyGuidance", "dense_entropy_change", "penalty", "square_part"]
