"""Dense autoencoders on MNIST and CIFAR-10: Figures 3 to 6, claims C4 to C6 and C12, hypotheses H1 and H4."""

SECTIONS = ("autoencoder", "variants", "calibration")  # of params.yaml
