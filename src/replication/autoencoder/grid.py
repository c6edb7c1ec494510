"""Dense autoencoders, paper section 5.2: the grids behind Figures 3 to 6."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from replication.autoencoder.settings import AutoencoderSettings, described
from replication.core.run import Run, unique, without_unused
from replication.core.runs import Record, table_of

if TYPE_CHECKING:
    import pandas as pd

LARGE_LAMBDA = 0.01  # the inferred border between the published groups of lambda
LARGE_WIDTH = 100  # above it a width is wide
SLOWING = ("log-base", "exact-base")  # variants that C12 asks about, beside the control
METRICS = ("stopping_epoch", "stopped_early", "validation_mse")  # what the report reads


def make_run(settings: AutoencoderSettings, width: int, lambda_: float, replicate: int, **changes: Any) -> Run:
    """One autoencoder."""
    grid = settings.grid
    run = {
        "dataset": grid.dataset,
        "width": width,
        "lambda": lambda_,
        "replicate": replicate,
        **described(settings.training, **{"batch_size": grid.batch_size, "max_epochs": grid.max_epochs, **changes}),
    }
    return Run(settings.family, without_unused(run, monitor="base"))


def grid(settings: AutoencoderSettings) -> list[Run]:
    """Every run of a family: the paper's grid, its controls, and the variants of the protocol."""
    runs = paper_grid(settings) + control(settings) + unstopped(settings)
    for variant in variants(settings).values():
        runs += variant
    return unique(runs)


def paper_grid(settings: AutoencoderSettings) -> list[Run]:
    """The paper's grid under the published protocol."""
    chosen = settings.grid
    return [
        make_run(settings, width, lambda_, replicate)
        for width in chosen.widths
        for lambda_ in settings.lambdas
        for replicate in range(chosen.replicates)
    ]


def control(settings: AutoencoderSettings) -> list[Run]:
    """The same guidance with early stopping on the MSE alone, and the unguided runs beside it."""
    chosen = settings.grid
    return [
        make_run(settings, width, lambda_, replicate, monitor="base")
        for width in chosen.variant_widths
        for lambda_ in settings.lambdas
        for replicate in range(chosen.replicates)
    ]


def needed(claim: str, settings: AutoencoderSettings) -> list[Run]:
    """The runs that a claim rests on: C4 to C6 those of wide widths, C12 those that watch the MSE alone."""
    if claim == "C12":
        forms = [run for name, runs in variants(settings).items() if name in SLOWING for run in runs]
        unguided = [run for run in paper_grid(settings) if run["lambda"] == 0]
        found = [run for run in unique(unguided + control(settings) + forms) if run["width"] >= LARGE_WIDTH]
        return [run for run in found if run["width"] in settings.grid.variant_widths]
    tested = settings.grid.test_width
    wide = [run for run in paper_grid(settings) if run["width"] > LARGE_WIDTH or run["width"] == tested]
    return unique(wide + [run for run in control(settings) if run["width"] > LARGE_WIDTH])


def unstopped(settings: AutoencoderSettings) -> list[Run]:
    """Unguided runs to the epoch limit, where guided ones outlast those that early stopping ends."""
    chosen = settings.grid
    return [
        make_run(settings, width, 0.0, replicate, patience=chosen.max_epochs)
        for width in chosen.unstopped_widths
        for replicate in range(chosen.replicates)
    ]


def variants(settings: AutoencoderSettings) -> dict[str, list[Run]]:
    """The runs of each named variant of the protocol that this family has, at the lambda that `Variant.at` says."""
    chosen = settings.grid
    given = settings.lambda_override is not None
    return {
        name: [
            make_run(settings, width, lambda_, replicate, **variant.changes)
            for width in variant.widths or chosen.variant_widths
            for lambda_ in variant.at(settings.lambdas, given=given)
            for replicate in range(variant.replicates or chosen.variant_replicates)
        ]
        for name, variant in settings.variants.items()
        if variant.families is None or settings.family in variant.families
    }


def calibration_grid(settings: AutoencoderSettings) -> list[Run]:
    """Unguided runs for each batch size, with a minimum improvement of 0. A larger one would have stopped them earlier,
    and the histories tell where.
    """
    wanted = settings.calibration
    changes = {"min_delta": 0.0, "max_epochs": wanted.max_epochs}
    return unique(
        make_run(settings, width, 0.0, replicate, batch_size=batch_size, **changes)
        for batch_size in wanted.batch_sizes
        for width in wanted.widths
        for replicate in range(wanted.replicates)
    )


def frame(records: Iterable[Record]) -> "pd.DataFrame":
    """One row a run: see `core.runs.table_of`."""
    return table_of(records, ["width", "lambda", "replicate", "monitor", *METRICS])
