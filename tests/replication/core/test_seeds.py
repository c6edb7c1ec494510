"""Seeds as torch's generators on the CPU see them."""

from collections import defaultdict
from pathlib import Path

import pytest
import torch

from replication.core.family import Family, parts_of
from replication.core.settings import load

PARAMS = Path(__file__).parents[3] / "params.yaml"


def drawn(seed):
    return torch.rand(3, generator=torch.Generator().manual_seed(seed))


def test_a_generator_on_the_cpu_takes_the_lower_32_bits():
    seed = 0x123456789ABCDEF
    assert torch.equal(drawn(seed), drawn(seed & 0xFFFFFFFF)) and not torch.equal(drawn(seed), drawn(seed + 1))


@pytest.mark.parametrize("purpose", ["weights", "order"])
def test_no_two_runs_share_these_bits_by_chance(purpose):
    """Of the 60: runs that differ in guidance alone share all, and no others share 32."""
    parameters = load("paper", PARAMS)
    seeds = defaultdict(set)
    for room in sorted(set(parameters.families.values())):
        for part in parts_of(parameters, room):
            for run in part.grid if isinstance(part, Family) else []:
                seeds[run.seed(purpose) & 0xFFFFFFFF].add(run.seed(purpose))
    assert len(seeds) > 400 and all(len(whole) == 1 for whole in seeds.values())
