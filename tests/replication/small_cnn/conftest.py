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


@pytest.fixture
def nine(monkeypatch):
    """Table 1, wherever a test runs; and fewer shuffles and halves than the report's."""
    monkeypatch.setattr(paths, "PUBLISHED", ROOT / "data/published")
    monkeypatch.setattr(claims, "DRAWS", 1000)
    monkeypatch.setattr(claims, "SPLITS", 50)
    return published_data.table(1)


@pytest.fixture(autouse=True)
def published(monkeypatch, request, nine):
    """The same, of the two architectures of `few` alone, except beside `nine`: a grid that is complete with them."""
    if "nine" in request.function.__code__.co_varnames:
        return nine
    two = nine[(nine["width"] == 32) & (nine["blocks"] < 3)].reset_index(drop=True)
    monkeypatch.setattr(published_data, "table", lambda _: two)
    return two
