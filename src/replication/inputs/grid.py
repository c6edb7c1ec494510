"""Autoencoders that tell what the penalty touches: which inputs its square part reads (H9), and whether entropy or mere
size does it (H10).
"""

from msgspec.structs import fields

from replication.autoencoder.settings import described
from replication.core.run import Run, unique, without_unused
from replication.inputs.settings import Arm, InputsSettings

OWN = ("inputs", "rate_factor", "weight_factor")  # settings that the published runs do not have
DEFAULT = {field.name: field.default for field in fields(Arm)}


def grid(settings: InputsSettings) -> list[Run]:
    """Every run of a family."""
    return unique(run for runs in arms(settings).values() for run in runs)


def arms(settings: InputsSettings) -> dict[str, list[Run]]:
    """The runs of each arm, at those of its lambda that the user has not left out."""
    return {
        name: [
            make_run(settings, arm, width=width, lambda_=lambda_, replicate=replicate)
            for width in arm.widths
            for lambda_ in arm.lambdas
            if settings.lambda_override is None or lambda_ in settings.lambda_override
            for replicate in range(settings.grid.replicates)
        ]
        for name, arm in settings.grid.arms.items()
    }


def make_run(settings: InputsSettings, arm: Arm, *, width: int, lambda_: float, replicate: int) -> Run:
    """One autoencoder of an arm, trained as the published ones but to the last epoch.

    What an arm has as the published runs do is not in the description.
    """
    chosen = settings.grid
    run = {
        "dataset": chosen.dataset,
        "width": width,
        "lambda": lambda_,
        "replicate": replicate,
        **described(
            settings.published,
            form=arm.form,
            monitor="base",
            patience=chosen.max_epochs,
            min_delta=0.0,
            batch_size=chosen.batch_size,
            max_epochs=chosen.max_epochs,
        ),
    }
    own = {name: getattr(arm, name) for name in OWN if getattr(arm, name) != DEFAULT[name]}
    if lambda_ == 0:
        own.pop("inputs", None)
    return Run(settings.family, without_unused(run, monitor="base") | own)
