import pytest
import torch
from small_cnn_runs import ROOT, paper, three

from replication.core import paths
from replication.core import published as published_data
from replication.core.run import Run
from replication.data.images import ImageSet
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


@pytest.fixture
def colours() -> ImageSet:
    """70 + 30 images of 13 x 13: odd sides, and 70 is no multiple of the batch size or of a part of it."""
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        images = torch.randint(0, 256, (count, 3, 13, 13), generator=generator, dtype=torch.uint8)
        return images, torch.randint(0, 10, (count,), generator=generator, dtype=torch.uint8)

    return ImageSet(*draw(70), *draw(30))


@pytest.fixture
def make_cnn_run():
    def make(lambda_: float = 0.0, **changes) -> Run:
        settings = {
            "dataset": "small",
            "blocks": 1,
            "width": 5,
            "lambda": lambda_,
            "replicate": 0,
            "form": "reciprocal",
            "epsilon": 1e-2,
            "placement": "first",
            "anchor": "corner",
            "precision": "float64",
            "learning_rate": 0.01,
            "padding": "valid",
            "negative_slope": 0.3,
            "batch_size": 24,
            "epochs": 4,
        } | changes
        if lambda_ == 0:
            settings |= {"form": "none", "epsilon": 0.0, "placement": "none", "anchor": "corner"}
        return Run("cnn-test", settings)

    return make
