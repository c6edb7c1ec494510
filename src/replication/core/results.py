"""metrics.json: the results in one line that DVC's tables can hold, in units that survive their five digits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

WORDS = {"reproduced": "yes", "partly": "partly", "not reproduced": "no", "inconclusive": "open"}
REST = "untested"
# key: claim, which of its measures, by what it is multiplied, digits
SHOWN = {
    "C4_epochs": ("C4", "ours", 1, 1),  # percent of them that are saved,
    "C4_after": ("C4", "after_control", 1, 1),  # the same under the control
    "C5_mse_e4": ("C5", "ours", 1e4, 2),  # ten-thousandths of MSE
    "C6_epochs": ("C6", "ours", 1, 1),
    "C6_after": ("C6", "after_control", 1, 1),
    "C7_points": ("C7", "ours", 100, 2),  # percentage points of accuracy
    "C11_points": ("C11", "ours", 100, 2),
    "C13_more": ("C13", "ours", 1, 1),  # percent of a step's time
}


def of(claims: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Effect sizes by claim, null where nothing has run, and how often each verdict was given."""
    by_id = {claim["id"]: claim for claim in claims}
    found: dict[str, Any] = {}
    for name, (claim, measure, factor, digits) in SHOWN.items():
        value = (by_id[claim][measure] or {}).get("value")
        found[name] = None if value is None else round(factor * value, digits)
    counts = Counter(WORDS.get(claim["verdict"], REST) for claim in claims)
    found["verdicts"] = " ".join(f"{counts[word]} {word}" for word in (*WORDS.values(), REST) if counts[word])
    return found
