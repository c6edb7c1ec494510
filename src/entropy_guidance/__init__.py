"""Entropy-based guidance of neural networks: entropy changes of layers, and penalties on them.

The method of Meni, White, Mayo and Pilkiewicz (arXiv 2308.14938), for any torch model. Entropies are
differential entropies in nats. Torch is all that this needs but for profiles, which come as data frames. Every name
loads on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from entropy_guidance.extras import extra

if TYPE_CHECKING:
    from entropy_guidance import bottleneck, outputs, renyi, selection, transfer_entropy
    from entropy_guidance.changes.conv import conv_entropy_change, convolution_matrix
    from entropy_guidance.changes.dense import completed_dense_map, dense_entropy_change, square_part
    from entropy_guidance.changes.exact import exact_conv_entropy_change, exact_dense_entropy_change
    from entropy_guidance.changes.sizes import Anchor
    from entropy_guidance.findings import Finding
    from entropy_guidance.guidance import EntropyGuidance
    from entropy_guidance.layers import Convolution, Dense, register_layer
    from entropy_guidance.penalties import Form, penalty
    from entropy_guidance.plots import box_plot
    from entropy_guidance.profiles import Profile, compare, profile
    from entropy_guidance.selection import Role

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

# The module of each name, imported when the name is first used: torch takes seconds, and what only draws or reads a
# profile's table needs none.
_PLACES = {
    "changes.conv": ("conv_entropy_change", "convolution_matrix"),
    "changes.dense": ("completed_dense_map", "dense_entropy_change", "square_part"),
    "changes.exact": ("exact_conv_entropy_change", "exact_dense_entropy_change"),
    "changes.sizes": ("Anchor",),
    "findings": ("Finding",),
    "guidance": ("EntropyGuidance",),
    "layers": ("Convolution", "Dense", "register_layer"),
    "penalties": ("Form", "penalty"),
    "plots": ("box_plot",),
    "profiles": ("Profile", "compare", "profile"),
    "selection": ("Role",),
}
_SUBMODULES = ("bottleneck", "outputs", "renyi", "selection", "transfer_entropy")
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with extra("profile", f"{__name__}.{name}"):
        module = import_module(f"{__name__}.{_MODULE_OF[name]}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
