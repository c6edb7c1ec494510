"""Dense autoencoders on MNIST and CIFAR-10: Figures 3 to 6, claims C4 to C6 and C12, hypotheses H1 and H4."""

SECTIONS = ("autoencoder", "variants", "calibration")  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (
    "stopping_epoch",
    "stopped_early",
    "validation_mse",
    "train_mse",
    "best_validation_mse",
    "best_epoch",
    "initial_entropy_change",
    "entropy_change",
)
HISTORIES = (
    "train_mse",
    "validation_mse",
    "entropy_change",
)
