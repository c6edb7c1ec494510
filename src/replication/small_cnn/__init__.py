"""Small CNNs on CIFAR-10 and MNIST: Table 1, claims C7 and C8, hypotheses H2, H3, H4-cnn and H6."""

SECTIONS = ("cnn", "cnn_variants", "cnn_calibration")  # of params.yaml
