"""The first screen: what the board says in five sentences and four boxes, as far as it says it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TONES = {
    "reproduced": ("ok", "✔", "reproduced"),
    "supported": ("ok", "✔", "supported"),
    "survives": ("ok", "✔", "survives"),
    "partly": ("part", "◐", "partly"),
    "not reproduced": ("no", "✖", "not reproduced"),
    "refuted": ("no", "✖", "refuted"),
    "does not survive": ("no", "✖", "does not survive"),
    "inconclusive": ("inc", "?", "inconclusive"),
    "undecided": ("inc", "?", "undecided"),
}
UNTESTED = ("nt", "○", "not tested")
CONTROLS = {"survives": "survived", "does not survive": "did not survive", "inconclusive": "unclear"}
ORDER = ("reproduced", "partly", "not reproduced", "inconclusive", "not tested")


@dataclass(frozen=True)
class Answer:
    word: str
    lead: str
    boxes: list[tuple[str, str]]
    controls: str


def tone(word: str) -> str:
    """The class of a verdict in the style sheet."""
    return TONES.get(word, UNTESTED)[0]


def icon(word: str) -> str:
    return TONES.get(word, UNTESTED)[1]


def short_verdict(word: str) -> str:
    """The verdict without why it is none."""
    return TONES.get(word, UNTESTED)[2]


def counts(claims: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """How many claims have each verdict, those that occur."""
    found = Counter(short_verdict(claim["verdict"]) for claim in claims)
    return [(word, found[word]) for word in ORDER if found[word]]


def answer(board: Mapping[str, Any], note: str) -> Answer:
    """From claims.json. Args: note, on data that stand in for others, which decide nothing."""
    claims = {claim["id"]: claim for claim in board["claims"]}
    boxes = [
        ("To train faster?", _faster(claims["C4"])),
        ("For accuracy?", _accuracy(claims["C7"])),
        ("Is anything left of the idea?", _left(board["hypotheses"])),
        ("How sure are we?", _sure(board)),
    ]
    if note:
        return Answer("", _shown(claims["C4"]), boxes, _controls(board["claims"]))
    return Answer(_word(board["claims"]), _lead(board["claims"], claims), boxes, _controls(board["claims"]))


def _word(claims: Sequence[Mapping[str, Any]]) -> str:
    """Yes or no, by the claims that have a verdict and by their controls."""
    decided = [claim for claim in claims if claim["verdict"] in ("reproduced", "partly", "not reproduced")]
    stand = [c for c in decided if c["verdict"] != "not reproduced" and c["control"] != "does not survive"]
    if not decided:
        return "Not known yet."
    return "Mostly not." if 2 * len(stand) < len(decided) else "In part." if len(stand) < len(claims) else "Yes."


def _are(number: int) -> str:
    return f"{number} {'is' if number == 1 else 'are'}"


def _lead(claims: Sequence[Mapping[str, Any]], by_id: Mapping[str, Mapping[str, Any]]) -> str:
    found = dict(counts(claims))
    open_ = found.get("inconclusive", 0) + found.get("not tested", 0)
    said = (
        "The paper adds a penalty to a network's loss, so that chosen layers keep entropy; we call them guided. "
        f"Of its {len(claims)} claims {_are(found.get('reproduced', 0))} reproduced, {_are(found.get('partly', 0))} in "
        f"part and {_are(found.get('not reproduced', 0))} not; {open_} wait for runs."
    )
    epochs = by_id["C4"]
    if epochs["control"] == "does not survive" and epochs["ours"] and epochs["after_control"]:
        said += (
            f" The effect that the paper puts first is there on MNIST, where {epochs['ours']['text']}, but entropy "
            "does not make it: when early stopping watches the error alone, "
            f"{epochs['after_control']['text']}. Rounding in float32 hides the progress of training instead."
        )
    return said


def _shown(epochs: Mapping[str, Any]) -> str:
    """What the demo demonstrates: the artefact."""
    ours, after = epochs["ours"], epochs["after_control"]
    works = "These runs decide nothing about the paper. They show that every step works."
    if not ours or not after:
        return works
    shown = f"With guidance {ours['text']}; with the MSE watched alone {after['text']} (stand-in data)."
    return f"{shown} So guidance does end training early, and it is the stopping rule that does it. {works}"


def _faster(epochs: Mapping[str, Any]) -> str:
    ours, after = epochs["ours"], epochs["after_control"]
    if not ours or not after:
        return "Not known yet."
    gone = after["value"] is not None and abs(after["value"]) < ours["value"] / 10
    first = "No." if gone else "Perhaps."
    return f"{first} {_capital(ours['text'])}, but {after['text']} when early stopping watches the error alone."


def _accuracy(cnn: Mapping[str, Any]) -> str:
    if not cnn["ours"]:
        return "Not known yet. None of the nine networks of Table 1 was trained at every lambda with all ten seeds."
    low = cnn["ours"]["low"]
    first = "Perhaps." if low is not None and low > 0 else "We have no evidence."
    printed = cnn["published"]["value"]
    return f"{first} {_capital(cnn['ours']['text'])}{f' ({printed:+.4f} published there)' if printed else ''}."


def _left(hypotheses: Sequence[Mapping[str, Any]]) -> str:
    exact = [one for one in hypotheses if one["id"] == "H4" and one["verdict"] in ("supported", "partly")]
    if not exact:
        return "Not by what has run: the layer's exact change of entropy, our variant, shows no clear gain."
    again = any(one["id"] == "H12" and one["verdict"] == "supported" for one in hypotheses)
    said = f"Perhaps. The layer's exact change of entropy, our variant: {exact[0]['ours']['text']}"
    return f"{said}; again so in new seeds (H12)." if again else f"{said}."


def _sure(board: Mapping[str, Any]) -> str:
    told = [one["ours"]["text"] for one in board["hypotheses"] if one["id"] == "H1" and one["ours"]]
    runs, planned = (sum(one[name] for one in board["runs"]) for name in ("runs", "planned"))
    first = f"{_capital(told[0])}. " if told else ""
    return (
        f"{first}Settings that matter are our guesses, and {planned - runs:,} of {planned:,} planned runs are missing."
    )


def _controls(claims: Sequence[Mapping[str, Any]]) -> str:
    found = Counter(claim["control"] for claim in claims)
    tested = len(claims) - found["not tested"]
    if not tested:
        return "No control has been run."
    said = [f"{found[word]} {short}" for word, short in CONTROLS.items() if found[word]]
    return f"{tested} controls were run: {', '.join(said)}." if tested > 1 else f"One control was run: {said[0]}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
