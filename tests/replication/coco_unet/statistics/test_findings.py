"""Which family of U-Nets decides C11."""

from dataclasses import asdict

import pandas as pd
import pytest

from replication.coco_unet.statistics.findings import verdicts
from replication.core.findings import Findings
from replication.core.verdict import Verdict


def found(said, runs):
    facts = {"verdict": asdict(Verdict("inconclusive", said, "not tested", ""))}
    return Findings({"runs": pd.DataFrame({"lambda": [0.0] * runs})}, facts)


@pytest.mark.parametrize(
    ("runs", "decides"), [((0, 0), "whole"), ((0, 15), "sample"), ((1, 15), "sample"), ((2, 15), "whole")]
)
def test_the_sample_decides_while_the_whole_has_no_runs(runs, decides):
    findings = {name: found(name, count) for name, count in zip(("whole", "sample"), runs, strict=True)}
    assert verdicts(findings)["C11"].evidence == decides


def test_without_a_family_nothing_is_decided():
    assert verdicts({"unet-coco": Findings()}) == {}
    assert verdicts({"unet-coco": Findings(), "other": found("other", 0)})["C11"].evidence == "other"
