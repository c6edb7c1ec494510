import pytest
import torch

collect_ignore = ["wheel"]  # scripts for an environment of their own: `make wheel-test`

torch.set_num_threads(1)  # models this small are slower with more


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers for a test, whatever ran before it."""
    torch.manual_seed(0)
