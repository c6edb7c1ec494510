"""Families of experiments by name."""

from replication.experiments import autoencoder
from replication.runs import Run
from replication.settings import FAMILIES, Settings


def grid(settings: Settings, family: str) -> list[Run]:
    """Every run of a family at this scale."""
    return autoencoder.grid(settings, family)


def calibration_family(family: str) -> str:
    """Name of the table that holds a family's calibration."""
    return f"{family}-calibration"


__all__ = ["FAMILIES", "calibration_family", "grid"]
