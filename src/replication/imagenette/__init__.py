"""VGG16 and ResNet-50 on Imagenette: Table 2, claims C9 and C10."""

SECTIONS = ("imagenette",)  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (
    "stopping_epoch",
    "stopped_early",
    "train_loss",
    "validation_loss",
    "accuracy",
    "best_epoch",
    "best_accuracy",
    "penalty",
    "seconds_per_epoch",
    "images_per_second",
    "train_images",
    "validation_images",
)
HISTORIES = (
    "train_loss",
    "validation_loss",
    "penalty",
    "monitored",
    "accuracy",
    "train_seconds",
    "seconds",
)
