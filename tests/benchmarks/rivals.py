"""What measuring the rivals costs: `python tests/benchmarks/rivals.py [--write]`.

The table, data/benchmarks/rivals.csv with `--write`, sets each fast path beside a plain one that does the same, both on
one core in turn: CPU milliseconds, medians of n turns, and the largest difference of their results in bits.

- Rényi entropies of a layer with 64 maps of 13 x 13 at 128 images, Gram matrices included: one batch of eigenvalues of
  symmetric matrices, against one `torch.linalg.eig` a map.
- Transfer-entropy feedback at 10 classes: a call of the feedback (symbols from logits, counts, transfer entropy of all
  100 pairs, the change of the weights), against counts and transfer entropy of all pairs by loops over Python ints,
  which are handed their symbols and change no weights. Counts must be equal.
"""

import argparse
import itertools
import math
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from engine import publish
from torch import Tensor, nn

from entropy_guidance.renyi import ALPHA, Width, entropy, map_grams
from entropy_guidance.transfer_entropy import SOURCE, SURE, TransferCounter, TransferEntropyFeedback

IMAGES, MAPS, SIZE = 128, 64, 13
CLASSES, FEATURES = 10, 128
WIDTH = Width("median")


def milliseconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return 1e3 * (time.thread_time() - start)


def entropies_by_eig(activations: Tensor) -> list[float]:
    """One map after the other, by the eigenvalues of a general matrix."""
    found = []
    for values in activations.flatten(2).movedim(1, 0).double():
        squares = torch.cdist(values, values, compute_mode="donot_use_mm_for_euclid_dist").square()
        median = squares[tuple(torch.tril_indices(len(values), len(values), -1))].quantile(0.5)
        eigenvalues = torch.linalg.eig(torch.exp(-squares / median) / len(values)).eigenvalues.abs()
        found.append(math.log2((eigenvalues**ALPHA).sum()) / (1 - ALPHA))
    return found


def renyi_row(n: int) -> dict[str, object]:
    generator = torch.Generator().manual_seed(0)
    activations = torch.randn(IMAGES, MAPS, SIZE, SIZE, generator=generator).relu()
    ours = entropy(map_grams(activations, WIDTH))
    difference = (ours - torch.tensor(entropies_by_eig(activations), dtype=torch.float64)).abs().max().item()
    turns = [
        (
            milliseconds(lambda: entropy(map_grams(activations, WIDTH))),
            milliseconds(lambda: entropies_by_eig(activations)),
        )
        for _ in range(n)
    ]
    return row(f"Rényi entropies, {MAPS} maps", IMAGES, turns, difference)


def naive_counts(source: list[int], target: list[int]) -> dict[tuple[int, int, int], int]:
    """How often each (target's next symbol, its present one, source's present one) comes, of one pair of series."""
    counts: dict[tuple[int, int, int], int] = {}
    for time_ in range(len(target) - 1):
        cell = target[time_ + 1], target[time_], source[time_]
        counts[cell] = counts.get(cell, 0) + 1
    return counts


def naive_bits(counts: dict[tuple[int, int, int], int]) -> float:
    """The sum of p(i', i, j) log2[p(i' | i, j) / p(i' | i)]."""
    total, bits = sum(counts.values()), 0.0
    for (next_, present, other), n in counts.items():
        both = sum(m for (_, i, j), m in counts.items() if (i, j) == (present, other))
        changes = sum(m for (k, i, _), m in counts.items() if (k, i) == (next_, present))
        alone = sum(m for (_, i, _), m in counts.items() if i == present)
        bits += n / total * math.log2((n / both) / (changes / alone))
    return bits


def naive(source: list[list[int]], target: list[list[int]]) -> tuple[list, list[list[float]]]:
    """Counts and transfer entropies of all pairs, [source][target]."""
    counts = [[naive_counts(x, y) for y in target] for x in source]
    return counts, [[naive_bits(pair) for pair in line] for line in counts]


def feedback_row(images: int, n: int) -> dict[str, object]:
    torch.manual_seed(0)
    layer = nn.Linear(FEATURES, CLASSES)
    turns, difference = [], 0.0
    for _ in range(n):
        logits = 2 * torch.randn(images, CLASSES)
        source, target = logits.T.abs() >= SOURCE, logits.T.softmax(0) >= SURE
        symbols = source.int().tolist(), target.int().tolist()
        counter = TransferCounter()
        counter.add(source, target)
        counts, bits = naive(*symbols)
        cells = itertools.product(range(CLASSES), range(CLASSES), (0, 1), (0, 1), (0, 1))
        assert all(counter.counts[i, j, a, b, c] == counts[i][j].get((a, b, c), 0) for i, j, a, b, c in cells)
        difference = max(difference, (counter.bits() - torch.tensor(bits, dtype=torch.float64)).abs().max().item())
        turns.append((feedback_milliseconds(layer, logits), milliseconds(partial(naive, *symbols))))
    return row("transfer-entropy feedback", images, turns, difference)


def feedback_milliseconds(layer: nn.Linear, logits: Tensor) -> float:
    """Median of five calls, each of which meets an empty window that the logits fill."""
    calls = []
    feedback = TransferEntropyFeedback(layer, window=len(logits))
    for _ in range(5):
        with feedback:
            feedback._listen(layer, None, logits)
            calls.append(milliseconds(feedback))
    return float(np.median(calls))


def row(what: str, images: int, turns: list[tuple[float, float]], difference: float) -> dict[str, object]:
    ours, plain = np.median(turns, axis=0)
    found = {"what": what, "images": images, "n": len(turns), "ms": ours, "plain_ms": plain}
    return found | {"times_plain": plain / ours, "difference": difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write data/benchmarks/rivals.csv")
    parser.add_argument("--images", nargs="+", type=int, default=[32, 128, 512], help="of the feedback")
    parser.add_argument("-n", type=int, default=200, help="turns of the feedback; the entropies take a tenth")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [renyi_row(max(1, options.n // 10)), *(feedback_row(images, options.n) for images in options.images)]
    publish(pd.DataFrame(rows), "rivals.csv", write=options.write)


if __name__ == "__main__":
    main()
