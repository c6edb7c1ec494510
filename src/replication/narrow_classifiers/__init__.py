"""VGG16 and ResNet-50 with a part of their channels on small images: Table 2 at a size for a CPU, hypothesis H16."""

from replication.training import recorded

SECTIONS = ()  # of params.yaml: it has none of its own

# What every record of its runs has; tests compare with what is trained.
METRICS = (*recorded.LARGE_METRICS, "best_accuracy")
HISTORIES = recorded.LARGE_HISTORIES
