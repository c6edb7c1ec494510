"""Families of experiments by name."""

from collections.abc import Iterable

import pandas as pd

from replication.autoencoder import grid as autoencoder
from replication.coco_unet import grid as unet
from replication.core import published
from replication.core.runs import Record, Run
from replication.core.settings import CLASSIFIERS, CNNS, INPUTS, UNETS, Settings
from replication.imagenette import grid as classifiers
from replication.inputs import grid as inputs
from replication.small_cnn import grid as small_cnn


def grid(settings: Settings, family: str) -> list[Run]:
    """Every run of a family at this scale; [] for a family that the scale does not have."""
    if family in CNNS:
        return small_cnn.grid(settings, family)
    if family in CLASSIFIERS:
        return classifiers.grid(settings, family)
    if family in INPUTS:
        return inputs.grid(settings, family)
    return (unet if family in UNETS else autoencoder).grid(settings, family)


def planned(settings: Settings, family: str) -> int:
    """How many runs the whole grid has: those too that cannot be described before others are finished."""
    return classifiers.planned(settings, family) if family in CLASSIFIERS else len(grid(settings, family))


def calibration_grid(settings: Settings, family: str) -> list[Run]:
    """The unguided runs that a family's open settings are calibrated on."""
    if family in CNNS:
        return small_cnn.calibration_grid(settings, family)
    return autoencoder.calibration_grid(settings, family)


def calibration_table(settings: Settings, family: str, records: Iterable[Record]) -> pd.DataFrame:
    """Candidate settings beside the published baseline, nearest first."""
    if family in CNNS:
        return small_cnn.calibration_table(records, settings.cnn_calibration.lengths, published.table(1))
    return autoencoder.calibration_table(records, settings.calibration.min_deltas)


def calibration_family(family: str) -> str:
    """Name of the table that holds a family's calibration."""
    return f"{family}-calibration"
