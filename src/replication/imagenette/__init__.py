"""VGG16 and ResNet-50 on Imagenette: Table 2, claims C9 and C10."""

from replication.training import recorded

SECTIONS = ("imagenette",)  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (*recorded.LARGE_METRICS, "best_accuracy")
HISTORIES = recorded.LARGE_HISTORIES
