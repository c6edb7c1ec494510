"""Small CNNs on CIFAR-10 and MNIST: Table 1, claims C7 and C8, hypotheses H2, H3, H4-cnn and H6."""

SECTIONS = ("cnn", "cnn_variants", "cnn_calibration")  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (
    "validation_accuracy",
    "train_accuracy",
    "best_validation_accuracy",
    "best_epoch",
    "validation_loss",
    "anchor_weight",
)
HISTORIES = (
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "anchor_weight",
    "first_layer_rms",
)
