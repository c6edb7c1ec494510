"""Small CNN classifiers, paper section 5.3: the grids behind Table 1, its MNIST control, the placebos and H4.

In a network of one block "all layers" are the first layer: such runs exist once, as `first`.
"""

from collections.abc import Iterable
from statistics import fmean
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from replication.core.run import Run, unique, without_unused
from replication.core.runs import Record, table_of
from replication.small_cnn.settings import MNIST, CnnSettings

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 10  # behind each published mean
ARCHITECTURE = ["blocks", "width"]
PLACEMENTS = ("first", "all")  # of the guidance: which convolutions
PLACEBOS = ("center", "random")  # variants that C7's control asks about
LATE, LAST_EPOCHS = "late_validation_accuracy", 5  # the secondary outcome: a mean over so many epochs
METRICS = ("validation_accuracy", "train_accuracy", "best_validation_accuracy", "best_epoch", "anchor_weight")
Architecture = tuple[int, int]  # blocks, width
SETTINGS = ("blocks", "width", "lambda", "replicate", "form", "placement", "anchor")  # what the report tells apart


def make_run(settings: CnnSettings, architecture: Architecture, lambda_: float, replicate: int, **changes: Any) -> Run:
    """One classifier."""
    blocks, width = architecture
    described = {
        "dataset": settings.grid.dataset,
        "blocks": blocks,
        "width": width,
        "lambda": lambda_,
        "replicate": replicate,
        "placement": "first",
        **asdict(settings.training),
        "epochs": settings.grid.epochs,
        **changes,
    }
    if blocks == 1:
        described |= {"placement": "first"}
    if described["form"] in ("exact", "decay"):
        described |= {"anchor": "none"}
    return Run(settings.family, without_unused(described, placement="none", anchor="none"))


def grid(settings: CnnSettings) -> list[Run]:
    """Every run of a family: the paper's grid at each placement, the variants, and weaker guidance."""
    runs = [run for placement in PLACEMENTS for run in paper_grid(settings, placement)]
    for variant in variants(settings).values():
        runs += variant
    return unique(runs + weaker(settings))


def paper_grid(settings: CnnSettings, placement: str) -> list[Run]:
    """The paper's grid for one placement of the guidance, and the unguided runs. More of the smallest architecture."""
    chosen = settings.grid
    return [
        make_run(settings, (blocks, width), lambda_, replicate, placement=placement)
        for blocks in chosen.blocks
        for width in chosen.widths
        for lambda_ in settings.lambdas
        for replicate in range(_replicates(settings, (blocks, width)))
    ]


def needed(claim: str, settings: CnnSettings) -> list[Run]:
    """The runs that a claim rests on: C7 the first layer's and the placebos, C8 all layers' (and MNIST's first)."""
    if claim == "C7":
        placebos = [run for name, runs in variants(settings).items() if name in PLACEBOS for run in runs]
        return unique(paper_grid(settings, "first") + placebos)
    placements = PLACEMENTS if settings.family == MNIST else ("all",)
    return unique(run for placement in placements for run in paper_grid(settings, placement))


def variants(settings: CnnSettings) -> dict[str, list[Run]]:
    """The guided runs of each variant of the smallest architecture, at those of its lambda that the grid has too."""
    chosen = settings.grid
    lambdas = settings.lambdas
    named = {name: settings.variants[name] for name in chosen.variants or ()}
    return {
        name: [
            make_run(settings, smallest(settings), lambda_, replicate, **variant.changes)
            for lambda_ in variant.lambdas
            if lambda_ in lambdas
            for replicate in range(variant.replicates or chosen.smallest_replicates)
        ]
        for name, variant in named.items()
    }


def weaker(settings: CnnSettings) -> list[Run]:
    """Guided runs of the smallest architecture below the paper's lambda, first layer (H6). None if lambda is given."""
    chosen = settings.grid
    lambdas = (chosen.weaker_lambdas or ()) if settings.lambda_override is None else ()
    return [
        make_run(settings, smallest(settings), lambda_, replicate)
        for lambda_ in lambdas
        for replicate in range(chosen.replicates)
    ]


def smallest(settings: CnnSettings) -> Architecture:
    """The architecture that has more replicates, and the variants."""
    return settings.grid.blocks[0], settings.grid.widths[0]


def _replicates(settings: CnnSettings, architecture: Architecture) -> int:
    chosen = settings.grid
    return chosen.smallest_replicates if architecture == smallest(settings) else chosen.replicates


def frame(records: Iterable[Record]) -> "pd.DataFrame":
    """One row a run: see `core.runs.table_of`. LATE: the mean of the last five epochs, of shorter runs of all."""
    found = list(records)
    late = [fmean(record["history"]["validation_accuracy"][-LAST_EPOCHS:]) for record in found]
    return table_of(found, [*SETTINGS, *METRICS, "seconds"]).assign(**{LATE: late})


def calibration_grid(settings: CnnSettings) -> list[Run]:
    """Unguided runs of each candidate. Their histories tell what fewer epochs would have given."""
    wanted = settings.calibration
    return unique(
        make_run(settings, (blocks, width), 0.0, replicate, **changes, epochs=wanted.epochs)
        for changes in wanted.candidates.values()
        for blocks in wanted.blocks
        for width in wanted.widths
        for replicate in range(wanted.replicates)
    )
