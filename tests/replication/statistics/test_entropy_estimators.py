import math

import numpy as np
import pytest
from scipy import stats

from replication.statistics.entropy_estimators import nearest_neighbour_entropy


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("neighbour", [1, 3, 10])
def test_a_gaussian(dimensions, neighbour):
    covariance = 4 * 0.5 ** np.abs(np.subtract.outer(range(dimensions), range(dimensions)))
    law = stats.multivariate_normal(cov=covariance)
    sample = np.asarray(law.rvs(4000, random_state=np.random.default_rng(dimensions))).reshape(-1, dimensions)
    assert nearest_neighbour_entropy(sample, neighbour) == pytest.approx(law.entropy(), abs=0.1)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_uniform_box(dimensions):
    sides = np.array([2.0, 3.0, 4.0])[:dimensions]
    sample = np.random.default_rng(7).uniform(0, sides, size=(8000, dimensions))
    # The box's faces bias the estimate upwards, more so with each dimension.
    assert nearest_neighbour_entropy(sample) == pytest.approx(np.log(sides).sum(), abs=0.15)


def test_it_is_exact_under_scaling_and_shifts():
    sample = np.random.default_rng(8).normal(size=(500, 3))
    expected = nearest_neighbour_entropy(sample) + 3 * math.log(5)
    assert nearest_neighbour_entropy(5 * sample - 2) == pytest.approx(expected)


def test_plain_loops_give_the_same():
    sample, k = np.random.default_rng(9).normal(size=(60, 2)), 3
    radii = [sorted(math.dist(a, b) for b in sample)[k] for a in sample]
    harmonic = sum(1 / i for i in range(k, 60))  # psi(60) - psi(3)
    expected = harmonic + math.log(math.pi) + 2 * np.mean(np.log(radii))
    assert nearest_neighbour_entropy(sample, k) == pytest.approx(expected)


def test_a_sample_in_a_subspace_has_no_entropy_to_converge_to():
    """A tall layer's output: the estimate falls without limit as the sample grows."""
    rng, weight = np.random.default_rng(10), np.array([[1.0, 2.0]])
    small, large = (nearest_neighbour_entropy(rng.normal(size=(n, 1)) @ weight) for n in (500, 8000))
    assert large < small - 2


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (np.zeros(9), r"shape \(n, d\)"),
        (np.zeros((3, 2)), "n > 3"),
        (np.repeat(np.eye(4), 4, axis=0), "points coincide"),
    ],
)
def test_refusals(sample, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbour_entropy(sample)
