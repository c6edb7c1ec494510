"""What every record has of runs that several rooms train. Imports nothing, so that rooms may name it."""

AUTOENCODER_METRICS = (
    "stopping_epoch",
    "stopped_early",
    "validation_mse",
    "train_mse",
    "best_validation_mse",
    "best_epoch",
    "initial_entropy_change",
    "entropy_change",
)
AUTOENCODER_HISTORIES = (
    "train_mse",
    "validation_mse",
    "entropy_change",
)

LARGE_METRICS = (
    "stopping_epoch",
    "stopped_early",
    "train_loss",
    "validation_loss",
    "accuracy",
    "best_epoch",
    "penalty",
    "seconds_per_epoch",
    "images_per_second",
    "train_images",
    "validation_images",
)
LARGE_HISTORIES = ("train_loss", "validation_loss", "penalty", "monitored", "accuracy", "train_seconds", "seconds")
