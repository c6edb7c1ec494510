"""Entropy profiles: Figures 1 and 7 to 9, claims C2 and C3, hypothesis H5."""

SECTIONS = ()  # of params.yaml: each scale has its own settings
