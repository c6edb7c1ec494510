"""Could the last step's inverse replace the LU of guidance? `python tests/benchmarks/warm_inverse.py [--write]`.

The gradient of log|det W_sq| is the inverse of W_sq. Newton's (Schulz's) iteration X <- X (2 I - W X), started at the
inverse of the step before, finds it from products alone, if the spectral radius of I - W X is below 1 at its start.
The table, data/benchmarks/warm-inverse.csv with `--write`, says for one autoencoder on MNIST (log form, batches of 128)
how often that holds over n steps of training (share converge, median radius), how many iterations a relative error of
1e-6 then takes (median), both in float64; what as many leave in float32, and what LU leaves there (medians, against the
inverse in float64); and what one iteration costs beside the determinant and the inverse by LU: CPU milliseconds of one
core in float32, medians. The iteration gives no determinant, which the reciprocal form's gradient and every loss need.
"""

import argparse
import itertools

import numpy as np
import pandas as pd
import torch
from engine import TRAIN, cpu_seconds, model_of, publish
from torch import Tensor, nn

from entropy_guidance import EntropyGuidance, square_part
from replication import data as datasets

BATCH = 128
ERROR, MOST = 1e-6, 50


def squares(width: int, warm_up: int, n: int) -> list[Tensor]:
    """The square parts (width, width) of n + 1 consecutive steps, after `warm_up` others."""
    torch.manual_seed(0)
    x = datasets.load("mnist").train_images.flatten(1)
    model, optimizer = model_of(width)
    guidance = EntropyGuidance(model, {"0": 1e-4}, form="log")
    found = []
    for step in range(warm_up + n):
        first = step * BATCH % (TRAIN - BATCH)
        batch = x[first : first + BATCH].float() / 255
        if step >= warm_up:
            found.append(square_part(model[0].weight).detach().clone())
        optimizer.zero_grad()
        (nn.functional.mse_loss(model(batch), batch) + guidance()).backward()
        optimizer.step()
    return [*found, square_part(model[0].weight).detach().clone()]


def iterate(inverse: Tensor, matrix: Tensor) -> Tensor:
    return inverse @ (2 * torch.eye(len(matrix)).to(matrix) - matrix @ inverse)


def one_step(before: Tensor, after: Tensor) -> dict[str, float]:
    """How the iteration does from one step to the next; no iterations and errors where it does not converge."""
    wanted = torch.linalg.inv(after.double())

    def error(inverse: Tensor) -> float:
        return float((inverse - wanted).norm() / wanted.norm())

    exact, single = torch.linalg.inv(before.double()), torch.linalg.inv(before)
    start = torch.eye(len(after)).double() - after.double() @ exact
    found = {"radius": float(torch.linalg.eigvals(start).abs().max()), "lu_error": error(torch.linalg.inv(after))}
    if found["radius"] >= 1:
        return found
    iterations = 0
    while error(exact) > ERROR and iterations < MOST:
        exact, single = iterate(exact, after.double()), iterate(single, after)
        iterations += 1
    return found | {"iterations": iterations, "iteration_error": error(single)}


def row(width: int, warm_up: int, n: int) -> dict[str, float]:
    steps = squares(width, warm_up, n)
    found = pd.DataFrame([one_step(*pair) for pair in itertools.pairwise(steps)])
    cost = {
        "iteration_ms": [1e3 * cpu_seconds(lambda w=w: iterate(w, w)) for w in steps],
        "determinant_ms": [1e3 * cpu_seconds(lambda w=w: torch.linalg.slogdet(w)) for w in steps],
        "inverse_ms": [1e3 * cpu_seconds(lambda w=w: torch.linalg.inv(w)) for w in steps],
    }
    converge = (found["radius"] < 1).mean()
    medians = {name: float(np.median(values)) for name, values in cost.items()}
    return {"width": width, "after_steps": warm_up, "n": n, "converge": converge} | found.median().to_dict() | medians


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write data/benchmarks/warm-inverse.csv")
    parser.add_argument("--widths", nargs="+", type=int, default=[100, 260])
    parser.add_argument("--after", nargs="+", type=int, default=[0, 469, 4690], help="steps before: 469 are an epoch")
    parser.add_argument("-n", type=int, default=100, help="steps to measure")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells = [(width, after) for width in options.widths for after in options.after]
    table = pd.DataFrame([row(*cell, options.n) for cell in cells])
    publish(table, "warm-inverse.csv", write=options.write)


if __name__ == "__main__":
    main()
