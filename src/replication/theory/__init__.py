"""The paper's theory by experiment: section 3, Figure 2, claim C1."""

SECTIONS = ()  # of params.yaml: each scale has its own settings
