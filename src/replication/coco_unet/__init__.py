"""U-Nets on COCO: Table 3 and Figure 10, claim C11."""

SECTIONS = ("unet",)  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (
    "stopping_epoch",
    "stopped_early",
    "train_loss",
    "validation_loss",
    "accuracy",
    "iou",
    "image_iou",
    "best_epoch",
    "best_validation_loss",
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
    "iou",
    "image_iou",
    "train_seconds",
    "seconds",
)
