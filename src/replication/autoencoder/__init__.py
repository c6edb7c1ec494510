"""Dense autoencoders on MNIST and CIFAR-10: Figures 3 to 6, claims C4 to C6 and C12, hypotheses H1 and H4."""

from replication.training import recorded

SECTIONS = ("autoencoder", "variants", "calibration")  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS, HISTORIES = recorded.AUTOENCODER_METRICS, recorded.AUTOENCODER_HISTORIES
