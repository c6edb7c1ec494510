"""Which networks are profiled, and with which weights (paper, section 4)."""

from typing import Annotated

from replication.core.profiled_weights import check_weights
from replication.core.schema import Some, Struct, fields_of
from replication.core.settings import Parameters


class Profiled(Struct, frozen=True, kw_only=True):
    """Which network stands for one of the paper's at one scale."""

    network: str  # or a family of U-Nets: its network
    weights: Annotated[tuple[str, ...], Some]  # as core.profiled_weights has them


class Profiles(Struct, frozen=True, kw_only=True):
    """`scales.SCALE.profiles`: one entry a network of the paper's."""

    vgg16: Profiled
    resnet50: Profiled
    unet: Profiled

    def __getitem__(self, network: str) -> Profiled:
        chosen: Profiled = getattr(self, network)
        return chosen


NETWORKS = fields_of(Profiles)


def read(parameters: Parameters) -> Profiles:
    """Read and check them.

    Raises:
        UserError: a parameter is unknown, missing or of another type.
    """
    found = parameters.grid(Profiles, "profiles")
    for network in NETWORKS:
        check_weights(found[network].weights, f"{parameters.where('profiles')}.{network}.weights")
    return found
