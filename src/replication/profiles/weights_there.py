"""Which trained weights the profiles of a scale want, and whether they are there; nothing is fetched."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from replication.core import paths
from replication.core.settings import Parameters
from replication.profiles.settings import NETWORKS, read


@dataclass(frozen=True)
class Wanted:
    """A file of weights."""

    path: Path
    there: bool
    command: str  # that fetches it


def wanted(parameters: Parameters) -> list[Wanted]:
    """One entry a file, in the networks' order."""
    from replication.profiles.trained_files import FILES  # with torch
    from replication.profiles.zoo import KERAS

    if parameters.of_scale.get("profiles") is None:
        return []
    found: dict[Path, Wanted] = {}
    for network in NETWORKS:
        chosen = read(parameters)[network]
        for weights in chosen.weights:
            name = _name(chosen.network, weights, FILES)
            if name is not None:
                places, command = FILES[name].places(), f"weights fetch {name}"
            elif weights == "imagenet" and chosen.network in KERAS:
                places = [paths.raw() / "weights" / KERAS[chosen.network].name]
                command = f"profile-stage {network} --scale {parameters.scale}"
            else:
                continue
            path = next((place for place in places if place.exists()), places[0])
            found[path] = Wanted(path, path.exists(), f"python -m replication {command}")
    return list(found.values())


def _name(network: str, weights: str, names: Container[str]) -> str | None:
    """The name for `weights fetch` of what a kind of weights is made from, as `open-nsfw-random` is from open-nsfw."""
    if network == "vgg16" and weights != "random":
        return "vgg16-edges" if weights == "edges" else "vgg16"
    parts = weights.split("-")
    heads = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((head for head in heads if head in names), None)
