"""The smallest CNN of Table 1, trained by entropy guidance, by each rival and by their controls; paired seeds."""

from msgspec.structs import asdict

from replication.core.run import Run, unique
from replication.rivals.settings import FEEDBACKS, Arm, RivalsSettings

GUIDANCE = ("form", "epsilon", "anchor")  # of the small CNNs' settings: only some forms use them


def grid(settings: RivalsSettings) -> list[Run]:
    """Every run of a family."""
    return unique(run for runs in arms(settings).values() for run in runs)


def arms(settings: RivalsSettings) -> dict[str, list[Run]]:
    """The runs of each arm."""
    return {
        name: [
            make_run(settings, arm, lambda_=lambda_, replicate=replicate)
            for lambda_ in settings.values(arm)
            for replicate in range(arm.replicates or settings.grid.replicates)
        ]
        for name, arm in settings.arms.items()
    }


def make_run(settings: RivalsSettings, arm: Arm, *, lambda_: float, replicate: int) -> Run:
    """One network. What its form does not use is not in the description."""
    chosen, shared = settings.grid, asdict(settings.small_cnn)
    guidance = {name: shared.pop(name) for name in GUIDANCE}
    described = {
        "dataset": chosen.dataset,
        "blocks": arm.blocks,
        "width": arm.width or chosen.width,
        "lambda": lambda_,
        "replicate": replicate,
        "form": arm.form,
        **shared,
        "epochs": chosen.epochs,
    }
    if arm.form == "reciprocal":
        described |= {name: guidance[name] for name in ("epsilon", "anchor")}
    if arm.form in FEEDBACKS:
        described |= {"window": settings.training.window}
    if arm.form in ("bottleneck", "plain-bottleneck"):
        described |= {"bottleneck_width": settings.training.bottleneck_width}
    return Run(settings.family, described)
