"""The notebooks run, and show what they say."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs/notebooks"


def run(name):
    """The names that a notebook leaves."""
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text())["cells"]
    names = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "notebooks are kept without outputs"
            exec("".join(cell["source"]), names)
    return names


def test_guide_your_own_network():
    found = run("guide-your-own-network")
    assert found["layers"] == ["0", "1.last"] and found["findings"] == []
    assert found["losses"][-1] < found["losses"][0] and set(found["guidance"].log()) == {"0", "1.last"}
    assert len(found["changes"]) == 6


def test_the_early_stopping_artefact():
    found = run("early-stopping-artefact")
    assert "its penalty is the constant" in str(found["caught"][0].message)
    assert found["penalty"].item() == pytest.approx(1e6) and found["largest"] < 1e-15
    assert found["total"] < found["alone"] / 2
