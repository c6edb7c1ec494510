"""Curves of runs while they train: `sweep --live` writes each epoch through DVCLive, and for TensorBoard where it is.

`live/<family>/` has a folder for each run, and a dvc.yaml that draws the curves of all of them together: `dvc plots
show`, VS Code's extension and `tensorboard --logdir live` read what is there, while it grows.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from replication.core.errors import UserError
from replication.core.files import write_text
from replication.core.run import Run

if TYPE_CHECKING:
    from replication.training.trainer import Epoch

TOLD = ("network", "width", "blocks", "form", "lambda", "placement", "layers", "monitor", "replicate")
METRICS = "plots/metrics"  # of a run's folder: DVCLive's place for curves


class Curves:
    """Takes the epochs of a sweep as they come."""

    def __init__(self, folder: Path, runs: Sequence[Run]) -> None:
        """Args: folder, of the runs' family.

        Raises:
            UserError: DVCLive is not installed.
        """
        if find_spec("dvclive") is None:
            raise UserError("--live needs dvclive, which is not installed: pip install -e '.[live]'")
        self.folder = folder
        self.names = {run.key: name_of(run) for run in runs}
        self.open: dict[str, _Curve] = {}

    def add(self, epoch: "Epoch") -> None:
        """Write what an epoch left of each run in it. A run that goes on from a checkpoint goes on here."""
        new = epoch.curves.keys() - self.open.keys()
        for key, values in epoch.curves.items():
            if key in new:
                self.open[key] = _Curve(self.folder / self.names[key], resume=epoch.number > 1)
            self.open[key].add(epoch.number, values)
        if new:
            self._draw_together()
        for record in epoch.finished:
            if (curve := self.open.pop(record["key"], None)) is not None:
                curve.close()

    def _draw_together(self) -> None:
        """DVC's list of plots: for each metric one, of all runs that have it."""
        plots: dict[str, list[str]] = {}
        for path in sorted(self.folder.glob(f"*/{METRICS}/*.tsv")):
            plots.setdefault(path.stem, []).append(path.relative_to(self.folder).as_posix())
        lines = ["plots:"]
        for name, files in plots.items():
            lines += [f"- {name}:", "    x: step", "    y:", *(f"      {file}: {name}" for file in files)]
        write_text(self.folder / "dvc.yaml", "\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for curve in self.open.values():
            curve.close()


class _Curve:
    """One run's."""

    def __init__(self, folder: Path, *, resume: bool) -> None:
        from dvclive import Live

        # Neither an experiment of its own nor a dvc.yaml: the family's draws all runs together
        self.live = Live(str(folder), resume=resume, save_dvc_exp=False, dvcyaml=None)
        self.board = _board(folder)
        self.written = self.live.step - 1 if resume else 0

    def add(self, number: int, values: Any) -> None:
        if number <= self.written:  # an epoch that is trained again, for no checkpoint has it
            return
        self.live.step = self.written = number
        for name, value in values.items():
            self.live.log_metric(name, value)
            if self.board is not None:
                self.board.add_scalar(name, value, number)
        self.live.next_step()
        if self.board is not None:
            self.board.flush()

    def close(self) -> None:
        self.live.end()
        if self.board is not None:
            self.board.close()


def _board(folder: Path) -> Any:
    """TensorBoard's writer; None where it is not installed."""
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder))


def name_of(run: Run) -> str:
    """Of a run's folder: what tells it from others, and the beginning of its key."""
    told = [f"{name}={run[name]}" for name in TOLD if name in run.settings]
    return "_".join([*told, run.key[:8]]).replace("/", "-").replace(",", "-")
