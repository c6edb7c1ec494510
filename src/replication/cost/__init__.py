"""What the penalty costs: claim C13."""

SECTIONS = ()  # of params.yaml: the measurements are committed
