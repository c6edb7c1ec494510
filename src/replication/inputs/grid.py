"""Autoencoders that tell what the penalty touches: which inputs its square part reads (H9), and whether entropy or mere
size does it (H10).
"""

from replication.core import describe
from replication.core.runs import Run, unique
from replication.core.settings import Settings
from replication.inputs.settings import DEFAULTS, InputsArm


def grid(settings: Settings, family: str) -> list[Run]:
    """Every run of a family; [] where the scale does not have it."""
    return unique(run for runs in arms(settings, family).values() for run in runs)


def arms(settings: Settings, family: str) -> dict[str, list[Run]]:
    """The runs of each arm, at those of its lambda that the user has not left out."""
    chosen = settings.inputs_grids.get(family)
    if chosen is None:
        return {}
    return {
        name: [
            make_run(settings, family, arm, width=width, lambda_=lambda_, replicate=replicate)
            for width in arm.widths
            for lambda_ in arm.lambdas
            if settings.lambda_override is None or lambda_ in settings.lambda_override
            for replicate in range(chosen.replicates)
        ]
        for name, arm in chosen.arms.items()
    }


def make_run(settings: Settings, family: str, arm: InputsArm, *, width: int, lambda_: float, replicate: int) -> Run:
    """One autoencoder of an arm, trained as the published ones but to the last epoch.

    What an arm has as the published runs do is not in the description.
    """
    chosen = settings.inputs_grids[family]
    described = {
        "dataset": chosen.dataset,
        "width": width,
        "lambda": lambda_,
        "replicate": replicate,
        **vars(settings.autoencoder),
        "form": arm.form,
        "monitor": "base",
        "patience": chosen.max_epochs,
        "min_delta": 0.0,
        "batch_size": chosen.batch_size,
        "max_epochs": chosen.max_epochs,
    }
    own = {name: getattr(arm, name) for name in ("inputs", "rate_factor", "weight_factor")}
    if lambda_ == 0:
        del own["inputs"]
    return Run(
        family,
        describe.blanked(described, monitor="base")
        | {name: value for name, value in own.items() if value != DEFAULTS[name]},
    )
