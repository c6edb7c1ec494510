"""Three rivals of entropy guidance on the smallest CNN: hypotheses R1 to R8."""

SECTIONS = ("rivals",)  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (
    "validation_loss",
    "validation_accuracy",
    "validation_entropy",
    "validation_confidence",
    "validation_ece",
    "validation_brier",
    "best_validation_accuracy",
    "best_epoch",
    "train_accuracy",
    "accuracy_on_training_images",
    "temperature",
    "held_loss",
    "held_ece",
    "scaled_loss",
    "scaled_ece",
    "train_seconds",
)
HISTORIES = (
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_entropy",
    "validation_confidence",
    "validation_ece",
    "validation_brier",
)
