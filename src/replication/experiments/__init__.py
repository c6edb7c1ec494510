"""Families of experiments by name."""

from replication.experiments import autoencoder, unet
from replication.runs import Run
from replication.settings import FAMILIES, UNETS, Settings


def grid(settings: Settings, family: str) -> list[Run]:
    """Every run of a family at this scale; [] for a family that the scale does not have."""
    return (unet if family in UNETS else autoencoder).grid(settings, family)


def calibration_family(family: str) -> str:
    """Name of the table that holds a family's calibration."""
    return f"{family}-calibration"


__all__ = ["FAMILIES", "calibration_family", "grid"]
