"""Files damaged one by one, and what their reader makes of each: what was written, or a message that names the file."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from replication import data as datasets
from replication.autoencoder import record as square_part
from replication.core import checks, findings, paths, studies, tables
from replication.core.errors import UserError
from replication.core.findings import Findings
from replication.core.records import DIGESTS, FIELDS, line, sealed
from replication.core.run import TRAINING_VERSION, Run
from replication.core.runs import make_record
from replication.core.store import Store
from replication.corner_zeros import record as corner_zeros
from replication.data.verify import SEEN, verified
from replication.imagenette import rows
from replication.inputs import record as inputs
from replication.profiles import record as profiles
from replication.published_tables import audit
from replication.theory import record as theory
from replication.training import checkpoints

SCALE = "paper"
LINES = 3  # of a message
RUN = Run("family", {"lambda": 0.1, "replicate": 0, "max_epochs": 9})
CHECKPOINT, STORE, IMAGES = Path("checkpoint.pt"), Path(".runs"), paths.prepared() / "digits.safetensors"
MAPS = paths.prepared() / "drawings"
LAYERS = rows.record_path(SCALE, "resnet50-imagenette")
FOUND = Path("findings.json")
STUDIES = ("theory.json", "guided-inputs.json", "profile-unet.jsonl")


def made(number: int) -> list[dict[str, Any]]:
    """Records; the first half carry digests, those of the others stand beside their table."""
    runs = [Run("family", {"lambda": 0.1, "replicate": k}) for k in range(number)]
    records = [make_record(run, {"mse": 0.5 + k}, {"mse": [1.0, 0.5 + k]}, 1, {}) for k, run in enumerate(runs)]
    return [sealed(record) if k < number // 2 else record for k, record in enumerate(records)]


RECORDS = made(8)
TABLE = paths.table(SCALE, "family")
STATE = {"model": {"w": torch.arange(400.0)}, "optimizer": {"step": 7}, "history": {"monitored": [0.5, 0.25]}}


def write(committed: Path) -> None:
    """Whole files of every kind, in the current folder; `committed` is the data/runs of a clone."""
    shutil.copytree(
        committed / SCALE, paths.RUNS / SCALE, ignore=shutil.ignore_patterns("*-mnist*", "*-cifar10*", "unet*")
    )
    TABLE.write_text("".join(line(record) + "\n" for record in RECORDS))
    digests = {record["key"]: sealed(record)["digest"] for record in RECORDS if "digest" not in record}
    (TABLE.parent / DIGESTS).write_text(json.dumps(digests))
    for record in RECORDS[:4]:
        Store(STORE).put(record)
    checkpoints.save(CHECKPOINT, RUN, STATE)
    for name in ("digits", "drawings"):
        datasets.prepare(SCALE, name, name)
    rows.write_record(LAYERS, {"empirical": rows.Chosen(numbers=(2, 5), source="a profile", basis="imagenet")})
    Findings({}, {"runs": 3}, {"n": 5}).write(FOUND, "0" * 64)


def unsealed(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its digest, and without what stands in the digest's place."""
    return {name: record[name] for name in FIELDS if name in record and name != "digest"}


WRITTEN = [unsealed(record) for record in RECORDS]


def _table() -> bool:
    found, refused = tables.split(TABLE, TRAINING_VERSION)
    there = sum(bool(text.strip()) for text in TABLE.read_bytes().split(b"\n"))
    return all(unsealed(record) in WRITTEN for record in found) and len(found) + len(refused) == there


def _stored() -> bool:
    found = [Store(STORE).take(record["key"]) for record in RECORDS[:4]]
    return all(record is None or unsealed(record) in WRITTEN for record in found)


def _checkpoint() -> bool:
    return checkpoints.digest(checkpoints.load(CHECKPOINT, RUN)) == checkpoints.digest(STATE)


def _data(name: str) -> Callable[[], bool]:
    before: list[dict[str, str]] = []

    def same() -> bool:
        (MAPS / SEEN).unlink(missing_ok=True)
        found = verified(name, datasets.load(name), paths.manifest(SCALE, name))
        before[:] = before or [found]
        return found == before[0]

    return same


def _as_before(read: Callable[[], Any]) -> Callable[[], bool]:
    before: list[str] = []

    def same() -> bool:
        found = repr(read())
        before[:] = before or [found]
        return found == before[0]

    return same


def _studies() -> bool:
    """As `runs check` looks at them."""
    folder = paths.RUNS / SCALE
    found = {path.name: studies.digest(path) for path in studies.files(folder)}
    for finding in checks.studies(found, studies.read_digests(folder)).findings:
        raise UserError(str(finding))
    return True


@dataclass(frozen=True)
class Kind:
    """Files of one kind, and whether their reader gives what was written."""

    files: tuple[Path, ...]
    read: Callable[[], bool]
    sealed: bool = True  # whether every changed byte shows; else what is no record of its kind


def kinds() -> dict[str, Kind]:
    """Every kind; call it beside whole files, each `read` once before something is damaged."""
    record = paths.record
    return {
        "tables": Kind((TABLE,), _table),
        "studies, by their digests": Kind(tuple(paths.RUNS / SCALE / name for name in STUDIES), _studies),
        "digests of studies": Kind((paths.RUNS / SCALE / studies.DIGESTS,), _studies),
        "digests of tables": Kind((TABLE.parent / DIGESTS,), _table),
        "records of the store": Kind(tuple(Store(STORE).path(one["key"]) for one in RECORDS[:4]), _stored),
        "checkpoints": Kind((CHECKPOINT,), _checkpoint),
        "images": Kind((IMAGES,), _data("digits")),
        "memory maps": Kind(tuple(sorted(MAPS.glob("*.npy"))), _data("drawings")),
        "manifests": Kind((paths.manifest(SCALE, "digits"), paths.manifest(SCALE, "drawings")), _manifests()),
        "descriptions of memory maps": Kind((MAPS / "about.json",), _data("drawings"), sealed=False),
        "layers": Kind((LAYERS,), _as_before(lambda: rows.read_record(LAYERS, "resnet50")), sealed=False),
        "findings": Kind((FOUND,), _as_before(lambda: findings.read(FOUND)), sealed=False),
        "theory": Kind((record(SCALE, theory.NAME),), _as_before(lambda: theory.read(SCALE)), sealed=False),
        "audit": Kind((record(SCALE, audit.NAME),), _as_before(lambda: audit.read(SCALE)), sealed=False),
        "zeros": Kind((record(SCALE, corner_zeros.NAME),), _as_before(lambda: corner_zeros.read(SCALE)), sealed=False),
        "inputs": Kind((record(SCALE, inputs.NAME),), _as_before(lambda: inputs.read(SCALE)), sealed=False),
        "square parts": Kind(
            (record(SCALE, square_part.NAME),),
            _as_before(lambda: square_part.read(SCALE, "autoencoder-mnist")),
            sealed=False,
        ),
        "profiles": Kind(
            (profiles.record_path(SCALE, "vgg16"),),
            _as_before(lambda: profiles.read_record(profiles.record_path(SCALE, "vgg16"))),
            sealed=False,
        ),
    }


def _manifests() -> Callable[[], bool]:
    both = [_data("digits"), _data("drawings")]
    return lambda: [same() for same in both] == [True, True]


def damages(text: bytes, rng: random.Random, number: int, *, sealed: bool) -> Iterator[bytes]:
    """Damaged copies of a file. Without a digest: what shows as no record at all."""
    rough = [
        b"",
        b"\n",
        b"null",
        b"3",
        b'"x"',
        b"{",
        b"\xff\xfe\x00",
        bytes(len(text)),
        text[: len(text) // 2],
        text[1:],
    ]
    if not sealed:
        yield from (rough * (1 + number // len(rough)))[:number]
        return
    for k in range(number):
        at = rng.randrange(len(text))
        to = min(len(text), at + rng.randrange(1, 60))
        ways = [
            text[:at] + bytes([text[at] ^ (1 << rng.randrange(8))]) + text[at + 1 :],
            text[:at],
            text[:at] + text[to:],
            text[:at] + rng.randbytes(to - at) + text[to:],
            text[:at] + rng.randbytes(9) + text[at:],
            text[:at] + bytes(to - at) + text[to:],
            rough[k // 7 % len(rough)],
        ]
        yield ways[k % len(ways)]


def outcome(kind: Kind, path: Path, text: bytes) -> str:
    """What comes of a damaged file: nothing, or what is wrong. The file is whole again afterwards."""
    whole, there = path.read_bytes(), set(path.parent.iterdir())
    try:
        path.write_bytes(text)
        found = "" if kind.read() else "taken for what it is not"
    except UserError as error:
        named = path.name in str(error) or path.parent.name in str(error) or path.stem in str(error)
        found = "" if named and str(error).count("\n") < LINES else f"an unclear message: {error}"
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    for aside in set(path.parent.iterdir()) - there:
        if aside.name.startswith(path.name):
            aside.unlink()
    path.write_bytes(whole)
    return found
