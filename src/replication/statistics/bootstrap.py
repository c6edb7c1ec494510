"""Bootstrap over images: how far a score of one trained network depends on which images it was measured on."""

import numpy as np

from replication.statistics.t_tests import ALPHA

CHUNK = 100  # resamples at a time: 10,000 images are 8 MB of weights each


def resampled_sums(columns: np.ndarray, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Sums of every column over images drawn with replacement: (N, K) -> (draws, K).

    All columns see the same draws: what is computed from columns of two networks is paired.
    """
    images = len(columns)
    generator = np.random.default_rng(seed)
    sums = [
        generator.multinomial(images, np.full(images, 1 / images), size=min(CHUNK, draws - first)) @ columns
        for first in range(0, draws, CHUNK)
    ]
    return np.concatenate(sums)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The central 95 % of bootstrap values, (low, high).

    >>> low, high = interval(np.arange(1001.0))
    >>> print(f"{low:g} to {high:g}")
    25 to 975
    """
    low, high = np.quantile(values, [ALPHA / 2, 1 - ALPHA / 2])
    return float(low), float(high)
