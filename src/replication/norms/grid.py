"""The runs: unguided, guided and both placebos at each lambda, seed by seed."""

from msgspec.structs import asdict

from replication.core.run import Run
from replication.norms.settings import GUIDED, Form, NormsSettings


def grid(settings: NormsSettings) -> list[Run]:
    """Every run of a family; those of a seed stand together."""
    runs = []
    for replicate in range(settings.grid.replicates):
        runs.append(make_run(settings, "none", 0.0, replicate))
        runs += [make_run(settings, form, lambda_, replicate) for lambda_ in settings.lambdas for form in GUIDED]
    return runs


def make_run(settings: NormsSettings, form: Form, lambda_: float, replicate: int) -> Run:
    """One network."""
    chosen = settings.grid
    described = {
        "dataset": chosen.dataset,
        "width": chosen.width,
        "lambda": lambda_,
        "replicate": replicate,
        "form": form,
        "epochs": chosen.epochs,
        **asdict(settings.training),
    }
    return Run(settings.family, described)
