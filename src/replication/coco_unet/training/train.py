"""The trainer of the U-Nets: the loop for large models with this room's task."""

from replication.coco_unet.training import task
from replication.training.large_models import LargeModels

TRAINER = LargeModels(task)
COMPILED = LargeModels(task, compiled=True)
