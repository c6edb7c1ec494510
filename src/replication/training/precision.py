"""What a run's `precision` means: which numbers a network has, and how a GPU multiplies them.

- `float32`, `float64`: all numbers and products.
- `bfloat16`: weights and sums in float32, the network's products and outputs in bfloat16 (torch's autocast).
- `tf32`: numbers in float32, of which the products of a GPU's tensor cores take 10 bits after the point. GPUs alone.

What guidance adds to a loss is computed in full in each of them.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from replication.core.errors import UserError
from replication.core.run import Run

TF32 = "tf32"
DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.float32, TF32: torch.float32}


def dtype_of(run: Run) -> torch.dtype:
    """Of weights, losses and what early stopping watches."""
    return DTYPES[run["precision"]]


def check(runs: Iterable[Run], device: torch.device) -> None:
    """Refuse a precision that a device does not have.

    Raises:
        UserError: tf32 on a CPU.
    """
    wrong = next((run for run in runs if run.settings.get("precision") == TF32), None)
    if wrong is not None and device.type == "cpu":
        raise UserError(
            f"{wrong.family}: precision tf32 is for GPUs, whose tensor cores round products, and no CPU has it. "
            "Choose --device cuda, or precision: float32 in params.yaml"
        )


def choose_products(run: Run) -> None:
    """Have a GPU multiply as the run says. It stays so for the process, which trains one stack at a time."""
    torch.backends.cuda.matmul.allow_tf32 = run["precision"] == TF32
    torch.backends.cudnn.allow_tf32 = run["precision"] == TF32


@contextmanager
def full_products() -> Iterator[None]:
    """Within it products of float32 are float32: the entropy change of rounded products is another one."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def low_precision(run: Run, device: torch.device) -> AbstractContextManager[object]:
    """Around a forward pass."""
    return torch.autocast(device.type, torch.bfloat16) if run["precision"] == "bfloat16" else nullcontext()
