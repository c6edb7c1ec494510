"""Which runs are missing, and having them trained: budget, progress, table."""

import math
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from replication import data as datasets
from replication.core import executors, finished, room_for, training_size
from replication.core.claims import Claims
from replication.core.cores import workers as processes
from replication.core.end_with_dvc import end_with_dvc
from replication.core.errors import UserError
from replication.core.executors import OutOfTime, Stack
from replication.core.finished import Outcome
from replication.core.live import Curves
from replication.core.records import sealed
from replication.core.run import Run
from replication.core.store import Store
from replication.core.training_size import SizeOf
from replication.data.verify import verified
from replication.training import precision
from replication.training.trainer import Epoch, Trainer, checkpoints, find

if TYPE_CHECKING:
    from replication.core.ray_executor import RayExecutor

UNSAID = "unsaid"
LOOK = 1.0  # seconds between two looks at what another sweep has finished


@dataclass(frozen=True)
class Order:
    """How a campaign has runs trained: these, in this order, none that would not end in time, waiting for nobody."""

    places: Mapping[str, int]  # by key
    fits: Callable[[Stack, float], bool]  # of a stack, and the seconds that are left

    def sort(self, stacks: list[Stack]) -> list[Stack]:
        return sorted(stacks, key=lambda stack: min(self.places[run.key] for run in stack))


def choose_device(name: str) -> torch.device:
    """`auto` = the GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("no CUDA GPU that this torch can use was found: choose --device cpu")
    return torch.device(name)


def sweep(
    runs: Sequence[Run],
    table: Path,
    store: Store,
    *,
    trainer: str,
    device: torch.device,
    minutes: float | None = None,
    shard: tuple[int, int] = (1, 1),
    only: Mapping[str, Container[float | str]] | None = None,
    among: Container[str] | None = None,
    workers: int | None = None,
    manifest: Path | None = None,
    order: Order | None = None,
    cluster: "RayExecutor | None" = None,
    size_of: SizeOf | None = None,
    live: Path | None = None,
) -> Outcome:
    """Train the runs that neither the store nor the table has, then write the table: the selected runs, no others.

    Args:
        runs: the selection.
        trainer: where the runs' trainer is, MODULE or MODULE:NAME.
        table: read first (a fresh clone re-uses what is committed), written last.
        minutes: give up what is still in training after this long.
        shard: (i, n) trains the i-th of n parts of what is missing; the parts of all machines add up.
        among: train only runs with these keys.
        only: train only runs whose settings have one of these values, by name of the setting (see `setting`).
        workers: processes on the CPU; by default REPLICATION_WORKERS, or one a core.
        manifest: of the runs' data, which are compared with it.
        order: by default replicate by replicate, long runs first, waiting for what another sweep trains.
        cluster: who trains, in place of this machine.
        size_of: of one training; without it nothing is estimated.
        live: folder for the curves of what is trained, while it is trained.

    Raises:
        UserError: a training does not fit into memory, or what they leave not onto the disk; there is no DVCLive.
    """
    known = finished.known(runs, table, store)
    wanted = [run for run in runs if all(setting(run, name) in values for name, values in (only or {}).items())]
    if only and not wanted:
        raise UserError(f"no run of the grid has all of {', '.join(only)} as chosen: choose fewer at a time")
    missing = [run for run in wanted if run.key not in known and (among is None or run.key in among)]
    part, parts = shard
    if order is not None:
        missing = [run for run in missing if run.key in order.places]
    share = [run for run in sorted(missing, key=lambda r: r.key) if int(run.key, 16) % parts == part - 1]
    deadline = time.monotonic() + minutes * 60 if minutes is not None else float("inf")

    trained: set[str] = set()
    interrupted = False
    if share and minutes != 0:  # zero minutes write the table, and need no data
        precision.check(share, device)
        curves = nullcontext() if live is None else Curves(live, share)
        if size_of is not None:
            memory = _memory(device) if cluster is None else None
            training_size.check(share, size_of, memory=memory, store=store.folder, checkpoints=checkpoints(trainer))
        data = _verified(share, manifest)
        # miniters=0: an epoch within a run is news too, though the count of runs stands still. smoothing=0: runs end in
        # bursts, several workers' or a stack's at once, and only the mean over all says how much time is left.
        interval = 0.5 if sys.stderr.isatty() else 10
        bar = tqdm(total=len(share), unit="run", desc=share[0].family, mininterval=interval, miniters=0, smoothing=0)
        try:
            until = deadline if cluster is None else math.inf  # Ray's own code does not bear it, and looks at the clock
            with (
                _sigterm_as_interrupt(),
                end_with_dvc(),
                bar,
                curves as watched,
                Claims(store) as claims,
                alarm(until),
            ):
                options: dict[str, Any] = {"device": device, "workers": workers, "order": order, "cluster": cluster}
                for epoch in _epochs(share, claims, trainer=trainer, deadline=deadline, **options):
                    for record in epoch.finished:
                        store.put(sealed(record | {"data": data[record["run"]["dataset"]]}))
                        trained.add(record["key"])
                        claims.finish(record["key"])
                    if watched is not None:
                        watched.add(epoch)
                    state = f"epoch {epoch.number}, {epoch.training} in stack, {epoch.progress}"
                    bar.set_postfix_str(state, refresh=False)
                    bar.update(len(epoch.finished))
        except OutOfTime:
            pass  # what is still missing is said below
        except KeyboardInterrupt:
            interrupted = True

    finished.take(runs, store, known)
    left = finished.write(runs, table, known)
    if lost := trained - known.keys():
        raise UserError(
            f"{len(lost)} runs that were trained now are no longer in {store.folder}: it was deleted or changed in the "
            "meantime. The others are kept; the same command trains these again"
        )
    return Outcome(len(runs), len(trained), left, interrupted)


def _epochs(
    runs: Sequence[Run],
    claims: Claims,
    *,
    trainer: str,
    device: torch.device,
    deadline: float,
    workers: int | None,
    order: Order | None,
    cluster: "RayExecutor | None",
) -> Iterator[Epoch]:
    """Train the runs that no other sweep trains, and wait for the others: what it gives up is trained here.

    Raises:
        OutOfTime: the deadline has passed.
    """
    left = list(runs)
    while left:
        stacks = _stacks(left, find(trainer), device, None if cluster is None else partial(cluster.stack_size, trainer))
        if order is not None:
            stacks = order.sort(stacks)
        claimed = (
            taken
            for stack in stacks
            if (order is None or order.fits(stack, deadline - time.monotonic())) and (taken := claims.take(stack))
        )
        if cluster is not None:
            yield from cluster.train(claimed, trainer, deadline)
        elif device.type == "cpu" and find(trainer).one_thread(runs[0]):
            number = min(workers or processes(), len(stacks))
            yield from executors.local_workers(claimed, trainer, number, deadline)
        else:
            yield from executors.in_process(claimed, trainer, device, deadline)
        if order is not None:
            return
        left = _not_finished(left, claims)
        if elsewhere := claims.elsewhere(left):
            tqdm.write(f"another sweep trains {len(elsewhere)} of these runs: waiting for it", file=sys.stderr)
        while left and len(claims.elsewhere(left)) == len(left):
            if time.monotonic() > deadline:
                raise OutOfTime
            time.sleep(LOOK)
            left = _not_finished(left, claims)


def _not_finished(runs: Sequence[Run], claims: Claims) -> list[Run]:
    """Those that nobody has finished, and that were not trained here in vain."""
    done = claims.store.keys() | claims.held | claims.finished
    return [run for run in runs if run.key not in done]


def _memory(device: torch.device) -> int:
    """Bytes of a device's memory."""
    return torch.cuda.mem_get_info(device)[1] if device.type == "cuda" else room_for.host_memory()


@contextmanager
def alarm(deadline: float) -> Iterator[None]:
    """OutOfTime is raised within it at the deadline: an epoch of a large network may last hours.

    It goes on from its last checkpoint.
    """

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    if math.isinf(deadline):
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(deadline - time.monotonic(), 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _verified(runs: Sequence[Run], manifest: Path | None) -> dict[str, dict[str, str]]:
    """By data set, the hashes of what the runs are trained on.

    Raises:
        UserError: the data are not those of the manifest.
    """
    names = dict.fromkeys(run["dataset"] for run in runs)
    return {name: verified(name, datasets.load(name), manifest) for name in names}


def _stacks(
    runs: Sequence[Run], trains: Trainer, device: torch.device, size_of: Callable[[Run], int] | None = None
) -> list[Stack]:
    """Stacks of runs (of one family) that can be trained together.

    Args:
        size_of: how many like a run fit where they train; by default on this machine's device.
    """
    groups: defaultdict[object, list[Run]] = defaultdict(list)
    for run in runs:
        groups[trains.stack_key(run)].append(run)
    stacks: list[Stack] = []
    for group in groups.values():
        # Paired runs side by side: they share their batches.
        group.sort(key=lambda run: (run["replicate"], run["lambda"]))
        if size_of is not None:
            size = size_of(group[0])
        else:
            size = trains.stack_size(group[0], datasets.load(group[0]["dataset"]), device)
        stacks += [group[first : first + size] for first in range(0, len(group), size)]
    # Replicate by replicate, so that a sweep cut short has some runs of every cell; long ones first within each.
    return sorted(stacks, key=lambda stack: (stack[0]["replicate"], -trains.cost(stack[0])))


def setting(run: Run, name: str) -> float | int | str:
    """A run's setting as `--only` chooses by it; some runs leave it unsaid, as the published ones do."""
    return run.settings.get(name, UNSAID)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM (a scheduler, `kill`) ends a sweep as cleanly as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
