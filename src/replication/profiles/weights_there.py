"""Which trained weights the profiles of a scale want, and whether they are there. Fetches nothing, needs no torch."""

from dataclasses import dataclass
from pathlib import Path

from replication.core import paths
from replication.core.settings import Parameters
from replication.profiles.known_files import FILES, KERAS
from replication.profiles.settings import NETWORKS, read


@dataclass(frozen=True)
class Wanted:
    """A file of weights."""

    path: Path
    there: bool
    command: str | None  # that fetches it; None where it must be brought by hand


def wanted(parameters: Parameters) -> list[Wanted]:
    """One entry a file, in the networks' order."""
    if parameters.of_scale.get("profiles") is None:
        return []
    found = []
    for name in NETWORKS:
        chosen = read(parameters)[name]
        for weights in chosen.weights:
            if weights == "imagenet" and chosen.network in KERAS:
                file = KERAS[chosen.network].name
                command = f"python -m replication profile-stage {name} --scale {parameters.scale}"
            elif weights in FILES:
                file, command = FILES[weights], None
            else:
                continue
            path = paths.raw() / "weights" / file
            found.append(Wanted(path, path.exists(), command))
    return found
