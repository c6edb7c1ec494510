"""Which trained weights the profiles of a scale want, and whether they are there. Fetches nothing, needs no torch."""

from dataclasses import dataclass
from pathlib import Path

from replication.core import paths
from replication.core.settings import Parameters
from replication.profiles.known_files import EDGES_PART, KERAS
from replication.profiles.packaged import PACKAGED
from replication.profiles.settings import NETWORKS, read


@dataclass(frozen=True)
class Wanted:
    """A file of weights."""

    path: Path
    there: bool
    command: str  # that fetches it


def wanted(parameters: Parameters) -> list[Wanted]:
    """One entry a file, in the networks' order."""
    if parameters.of_scale.get("profiles") is None:
        return []
    found: dict[Path, Wanted] = {}
    for network in NETWORKS:
        chosen = read(parameters)[network]
        for weights in chosen.weights:
            name = _name(chosen.network, weights)
            places = [PACKAGED[name].path] if name else []
            if weights.startswith("imagenet") and chosen.network in KERAS:
                places.insert(0, paths.raw() / "weights" / KERAS[chosen.network].name)
            if name == "vgg16-edges":
                places.append(paths.raw() / "weights" / EDGES_PART)
            if places:
                path = next((place for place in places if place.exists()), places[0])
                command = f"weights fetch {name}" if name else f"profile-stage {network} --scale {parameters.scale}"
                found[path] = Wanted(path, path.exists(), f"python -m replication {command}")
    return list(found.values())


def _name(network: str, weights: str) -> str | None:
    """The name for `weights fetch` of what a kind of weights is made from, as `open-nsfw-random` is from open-nsfw."""
    if network == "vgg16" and weights != "random":
        return "vgg16-edges" if weights == "edges" else "vgg16"
    return next((name for name in PACKAGED if weights == name or weights.startswith(f"{name}-")), None)
