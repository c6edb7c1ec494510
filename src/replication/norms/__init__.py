"""Guidance before a batch norm, on a small ResNet: hypothesis H8."""

SECTIONS = ("norms",)  # of params.yaml
