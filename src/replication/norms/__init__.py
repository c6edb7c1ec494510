"""Guidance before a batch norm, on a small ResNet: hypothesis H8."""

SECTIONS = ("norms",)  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (
    "validation_accuracy",
    "validation_loss",
    "train_loss",
    "corner",
    "growth",
)
HISTORIES = (
    "train_loss",
    "validation_loss",
    "validation_accuracy",
    "corner",
    "growth",
)
