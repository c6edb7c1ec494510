"""What the penalty costs: claim C13."""
