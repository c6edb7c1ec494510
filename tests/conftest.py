import pytest
import torch

from replication.core import measured

collect_ignore = ["wheel"]  # scripts for an environment of their own: `make wheel-test`

torch.set_num_threads(1)  # models this small are slower with more


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers for a test, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _records_in_part(monkeypatch):
    """Made-up records hold what their test looks at, and need not hold all that a training measures."""
    monkeypatch.setattr(measured, "families", dict)
