"""The weights with which params.yaml may have a network profiled."""

from collections.abc import Iterable

from replication.core.schema import mistake, shown

OTHERS = (  # than the paper's networks have:
    *("open-nsfw", "platelet-unet"),  # networks out of packages, and each of them drawn,
    *("open-nsfw-random", "platelet-unet-random"),
    *("imagenet-rescaled", "open-nsfw-rescaled", "platelet-unet-rescaled"),  # or other weights of the same function
    *("imagenet-pixels", "open-nsfw-pixels", "platelet-unet-folded"),
)
# Keras's; for edges; ours; ours on the sample; drawn
NAMES = ("imagenet", "edges", "trained", "sample", "random", *OTHERS)
SUFFIXES = (".pt", ".pth", ".safetensors", ".h5")  # of a file


def check_weights(weights: Iterable[str], where: str) -> None:
    """Raise UserError unless each is a name or a file."""
    for name in weights:
        if name not in NAMES and not name.endswith(SUFFIXES):
            said = f"got {shown(name)}, choose among {', '.join(NAMES)}, or a file: {', '.join(SUFFIXES)}"
            raise mistake(where, said)
