"""Autoencoders that tell what the penalty touches: which inputs its square part reads (H9), and whether entropy or mere
size does it (H10).
"""

from msgspec.structs import asdict

from replication.core import describe
from replication.core.runs import Run, unique
from replication.inputs.settings import LEADING, Arm, InputsSettings

UNSAID = {"inputs": LEADING, "rate_factor": 1.0, "weight_factor": 1.0}  # as the published runs: not in a description


def grid(settings: InputsSettings) -> list[Run]:
    """Every run of a family."""
    return unique(run for runs in arms(settings).values() for run in runs)


def arms(settings: InputsSettings) -> dict[str, list[Run]]:
    """The runs of each arm, at those of its lambda that the user has not left out."""
    return {
        name: [
            make_run(settings, arm, width, lambda_, replicate)
            for width in arm.widths
            for lambda_ in arm.lambdas
            if settings.lambda_override is None or lambda_ in settings.lambda_override
            for replicate in range(settings.grid.replicates)
        ]
        for name, arm in settings.arms.items()
    }


def make_run(settings: InputsSettings, arm: Arm, width: int, lambda_: float, replicate: int) -> Run:
    """One autoencoder of an arm, trained as the published ones but to the last epoch."""
    chosen = settings.grid
    described = {
        "dataset": chosen.dataset,
        "width": width,
        "lambda": lambda_,
        "replicate": replicate,
        **asdict(settings.training),
        "form": arm.form,
        "monitor": "base",
        "patience": chosen.max_epochs,
        "min_delta": 0.0,
        "batch_size": chosen.batch_size,
        "max_epochs": chosen.max_epochs,
    }
    own = {name: getattr(arm, name) for name in UNSAID if lambda_ != 0 or name != "inputs"}
    told = {name: value for name, value in own.items() if value != UNSAID[name]}
    return Run(settings.family, describe.blanked(described, monitor="base") | told)
