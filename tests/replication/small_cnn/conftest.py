import pytest
from small_cnn_runs import ROOT, paper, three

from replication.core import paths
from replication.core import published as published_data
from replication.small_cnn.settings import CIFAR10, MNIST
from replication.small_cnn.statistics import claims


@pytest.fixture(scope="module")
def settings():
    return paper(CIFAR10)


@pytest.fixture(scope="module")
def mnist():
    return paper(MNIST)


@pytest.fixture(scope="module")
def few():
    """Three architectures."""
    return three(CIFAR10)


@pytest.fixture(scope="module")
def few_mnist():
    return three(MNIST)


@pytest.fixture(scope="module")
def both(few, few_mnist):
    return few, few_mnist


@pytest.fixture(autouse=True)
def published(monkeypatch):
    """Table 1, wherever a test runs; and fewer shuffles and halves than the report's."""
    monkeypatch.setattr(paths, "PUBLISHED", ROOT / "data/published")
    monkeypatch.setattr(claims, "DRAWS", 1000)
    monkeypatch.setattr(claims, "SPLITS", 50)
    return published_data.table(1)
