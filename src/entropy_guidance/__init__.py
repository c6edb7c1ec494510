"""Entropy-based guidance of neural networks: entropy changes of layers, and penalties on them.

The method of Meni, White, Mayo and Pilkiewicz (arXiv 2308.14938), for any torch model. Entropies are
differential entropies in nats. Torch is all that this needs; profiles, which come as data frames, load on first use.
"""

from typing import TYPE_CHECKING, Any

from entropy_guidance import bottleneck, outputs, renyi, selection, transfer_entropy
from entropy_guidance.changes.conv import conv_entropy_change, convolution_matrix
from entropy_guidance.changes.dense import completed_dense_map, dense_entropy_change, square_part
from entropy_guidance.changes.exact import exact_conv_entropy_change, exact_dense_entropy_change
from entropy_guidance.changes.sizes import Anchor
from entropy_guidance.extras import extra
from entropy_guidance.findings import Finding
from entropy_guidance.guidance import EntropyGuidance
from entropy_guidance.layers import Convolution, Dense, register_layer
from entropy_guidance.penalties import Form, penalty
from entropy_guidance.selection import Role

if TYPE_CHECKING:
    from entropy_guidance.profiles import Profile, box_plot, compare, profile

__version__ = "0.2.0"

__all__ = [
    "Anchor",
    "Convolution",
    "Dense",
    "EntropyGuidance",
    "Finding",
    "Form",
    "Profile",
    "Role",
    "bottleneck",
    "box_plot",
    "compare",
    "completed_dense_map",
    "conv_entropy_change",
    "convolution_matrix",
    "dense_entropy_change",
    "exact_conv_entropy_change",
    "exact_dense_entropy_change",
    "outputs",
    "penalty",
    "profile",
    "register_layer",
    "renyi",
    "selection",
    "square_part",
    "transfer_entropy",
]

_PROFILES = ("Profile", "box_plot", "compare", "profile")


def __getattr__(name: str) -> Any:
    """What reads or draws profiles: it needs numpy and pandas."""
    if name not in _PROFILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extra("profile", f"entropy_guidance.{name}"):
        from entropy_guidance import profiles
    return getattr(profiles, name)
