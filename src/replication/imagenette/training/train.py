"""The trainer of VGG16 and ResNet-50: the loop for large models with this room's task."""

from replication.imagenette.training import task
from replication.training.large_models import LargeModels

TRAINER = LargeModels(task)
COMPILED = LargeModels(task, compiled=True)
