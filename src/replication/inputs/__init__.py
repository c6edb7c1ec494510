"""Which inputs the guided block reads: hypotheses H9 and H10."""

SECTIONS = ()  # of params.yaml: it has none of its own

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
