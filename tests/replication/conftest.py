import pytest
import torch

from replication.core.run import Run
from replication.data.images import ImageSet


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """An empty folder, and with it an empty store, of the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def images() -> ImageSet:
    """50 + 20 small images; 50 is no multiple of the batch size below."""
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        return torch.randint(0, 256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8)

    return ImageSet(draw(50), torch.zeros(50, dtype=torch.uint8), draw(20), torch.ones(20, dtype=torch.uint8))


@pytest.fixture
def make_run():
    def make(lambda_: float = 0.0, **changes) -> Run:
        settings = {
            "dataset": "small",
            "width": 5,
            "lambda": lambda_,
            "replicate": 0,
            "form": "reciprocal",
            "epsilon": 1e-2,
            "monitor": "total",
            "precision": "float64",
            "output_activation": "sigmoid",
            "batch_size": 16,
            "learning_rate": 0.01,
            "patience": 3,
            "min_delta": 0.0,
            "max_epochs": 6,
        } | changes
        if lambda_ == 0:
            settings |= {"form": "none", "epsilon": 0.0, "monitor": "base"}
        return Run("autoencoder-test", settings)

    return make
