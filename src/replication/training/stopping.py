"""Early stopping by Keras's rule, as the paper's wording implies (assumption early-stopping)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Stop after `patience` epochs in a row without an improvement by more than `min_delta` over the best value."""

    patience: int
    min_delta: float
    best: float = math.inf
    epochs_without_improvement: int = 0

    def should_stop(self, value: float) -> bool:
        """Take the monitored value of one more epoch. NaN is no improvement."""
        if value < self.best - self.min_delta:
            self.best = value
            self.epochs_without_improvement = 0
        else:
            self.epochs_without_improvement += 1
        return self.epochs_without_improvement >= self.patience


def best_epoch(values: Sequence[float]) -> tuple[float, float]:
    """The 1-based epoch with the lowest value, the first among equals, and the value; NaN if none is finite."""
    finite = [(value, epoch) for epoch, value in enumerate(values, 1) if math.isfinite(value)]
    value, epoch = min(finite, default=(math.nan, math.nan))
    return epoch, value


def stopping_epoch(monitored: Iterable[float], patience: int, min_delta: float) -> int | None:
    """The 1-based epoch at which early stopping would end a recorded training; None if it would go on."""
    rule = EarlyStopping(patience, min_delta)
    return next((epoch for epoch, value in enumerate(monitored, 1) if rule.should_stop(value)), None)
