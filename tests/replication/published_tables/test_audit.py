"""The audit's numbers against plain arithmetic on the published tables, and its report."""

import json
import re
import shutil
from math import comb, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from replication.__main__ import main
from replication.core.family import findings_of, parts_of, room
from replication.core.settings import load
from replication.published_tables import audit as published_audit

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "data" / "published"
COMMITTED = ROOT / "data" / "runs" / "paper" / "published-audit.json"


@pytest.fixture(scope="module")
def audit():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return published_audit.audit()


@pytest.fixture(scope="module")
def cells():
    """Table 2 as an 18 x 7 array; column 0 is lambda = 0."""
    return pd.read_csv(PUBLISHED / "table2.csv")["validation_accuracy"].to_numpy().reshape(18, 7)


def test_the_committed_record_is_what_the_code_makes(audit):
    """Close, not equal: another machine's rounding may move a sixth digit."""

    def compare(a, b):
        if isinstance(a, dict):
            assert a.keys() == b.keys()
            pairs = [(a[name], b[name]) for name in a]
        elif isinstance(a, list):
            pairs = list(zip(a, b, strict=True))
        else:
            assert a == (pytest.approx(b, rel=1e-4, abs=1e-9) if isinstance(b, float) else b)
            return
        for pair in pairs:
            compare(*pair)

    compare(json.loads(COMMITTED.read_text()), audit)


def test_table1_after_the_choice(audit):
    published = pd.read_csv(PUBLISHED / "table1.csv")
    p = published["delta_validation_p"]
    assert audit["table1"]["rows_below_alpha"]["printed"] == (p < 0.05).sum() == 9
    assert audit["table1"]["rows_below_alpha"]["bonferroni"] == (6 * p < 0.05).sum() == 5
    assert audit["table1"]["rows_below_alpha"]["sidak"] == (1 - (1 - p) ** 6 < 0.05).sum() == 5
    assert audit["table1"]["rows_below_alpha"]["after_choice"] == 5
    rows = pd.DataFrame(audit["table1"]["rows"])
    # t = gain / (sd sqrt(1/10 + 1/10)) with 18 degrees of freedom gives the printed p back
    t = rows["gain"] / (rows["implied_sd"] * sqrt(0.2))
    np.testing.assert_allclose(stats.t.sf(t, 18), p, rtol=1e-4)
    assert (rows["implied_sd"].min(), rows["implied_sd"].median(), rows["implied_sd"].max()) == pytest.approx(
        (0.0038, 0.0058, 0.0074), abs=5e-5
    )
    # A one-tailed 2.5 % test just rejects at the end of the two-sided 95 % interval
    np.testing.assert_allclose(rows["low"] / rows["gain"], 1 - stats.t.isf(0.025, 18) / t, rtol=1e-3)


def test_table1_without_an_effect(audit):
    """The protocol, imitated in plain steps."""
    part = audit["table1"]
    rng = np.random.default_rng(12)
    share, gain = 0, 0
    for _ in range(4000):
        runs = rng.normal(0, 0.00576, size=(7, 10))
        best = runs[1:][runs[1:].mean(axis=1).argmax()]
        difference = best.mean() - runs[0].mean()
        t = difference / sqrt((best.var(ddof=1) + runs[0].var(ddof=1)) / 10)
        gain += difference / 4000
        share += (t > stats.t.isf(0.05, 18)) / 4000
    for name, value, tolerance in (("significant_share", share, 0.025), ("expected_gain", gain, 1.5e-4)):
        assert part["no_effect"][name] == pytest.approx(value, abs=tolerance)
        assert part["no_effect"][f"{name}_simulated"] == pytest.approx(value, abs=tolerance)
    assert part["no_effect"]["all_rows_significant"] == pytest.approx(
        part["no_effect"]["significant_share"] ** 9, rel=1e-3
    )
    chi_squared = -2 * np.log([row["p_after_choice"] for row in part["rows"]]).sum()
    assert part["p_all_rows_fisher"] == pytest.approx(stats.chi2.sf(chi_squared, 18), rel=1e-3)


def test_table2_noise(audit, cells):
    part = audit["table2"]
    images = cells * audit["facts"]["table2"]["validation_images"]
    np.testing.assert_allclose(images, images.round(), atol=1e-9)  # so 500 images can have given them
    assert part["standard_error_at_0.8"] == pytest.approx(0.018, abs=5e-4)
    deviations = cells - cells.mean(axis=1, keepdims=True)
    assert part["within_row_raw_sd"] == pytest.approx(deviations.ravel().std(ddof=1), rel=1e-5)
    assert part["within_row_raw_sd"] == pytest.approx(0.0137, abs=5e-5)
    # one mean estimated in each row: 126 - 18 degrees of freedom
    assert part["within_row"]["sd"] == pytest.approx(sqrt((deviations**2).sum() / 108), rel=1e-5)
    baselines = [[0.698, 0.726], [0.804, 0.816], [0.854, 0.858]] + [
        list(cells[6 + 4 * k : 10 + 4 * k, 0]) for k in range(3)
    ]
    squares = sum(((np.array(b) - np.mean(b)) ** 2).sum() for b in baselines)
    assert part["repeated_baselines"]["sd"] == pytest.approx(sqrt(squares / 12), rel=1e-5)
    assert part["repeated_baselines"]["df"] == 12


def test_table2_best_of_six(audit, cells):
    gain = audit["table2"]["gain"]
    assert gain["observed"] == pytest.approx(np.mean(cells[:, 1:].max(axis=1) - cells[:, 0]), rel=1e-5)
    assert gain["observed"] == pytest.approx(0.025, abs=5e-4)
    assert gain["expected_normal_raw"] == pytest.approx(0.017, abs=5e-4)
    drawn = np.random.default_rng(13).normal(0, audit["table2"]["within_row"]["sd"], size=(200_000, 7))
    simulated = (drawn[:, 1:].max(axis=1) - drawn[:, 0]).mean()
    assert gain["expected_normal"] == pytest.approx(simulated, abs=1.5e-4)


def test_table2_relabelling_is_exact(audit, cells):
    """The distribution of the sum of gains by convolution, in images."""
    images = (cells * 500).round().astype(int)
    distribution = {0: 1.0}
    for row in images:
        gains = [np.delete(row, k).max() - row[k] for k in range(7)]
        new = {}
        for total, probability in distribution.items():
            for g in gains:
                new[total + g] = new.get(total + g, 0) + probability / 7
        distribution = new
    observed = (images[:, 1:].max(axis=1) - images[:, 0]).sum()
    gain = audit["table2"]["gain"]
    p = sum(probability for total, probability in distribution.items() if total >= observed)
    assert gain["p_relabelled"] == pytest.approx(p, abs=4 * sqrt(p / gain["draws"]))
    mean = sum(total * probability for total, probability in distribution.items()) / 18 / 500
    assert gain["expected_relabelled"] == pytest.approx(mean, rel=1e-4)


def test_table2_by_normal_noise(audit):
    """Each table of noise on its own, in plain steps; binomial error of 20,000 draws."""
    part = audit["table2"]
    gain, own, repeated = part["gain"], part["within_row"]["sd"], part["repeated_baselines"]["sd"]
    rng, count, known, studentised, uncertain = np.random.default_rng(15), 20_000, 0, 0, 0
    for _ in range(count):
        noise = rng.normal(0, own, size=(18, 7))
        best = np.mean(noise[:, 1:].max(axis=1) - noise[:, 0])
        within = sqrt(((noise - noise.mean(axis=1, keepdims=True)) ** 2).sum() / 108)
        known += best >= gain["observed"]
        studentised += best / within >= gain["observed"] / own
        few = rng.normal(0, own, size=12)  # whose mean is known: 12 degrees of freedom
        uncertain += best / sqrt((few**2).mean()) >= gain["observed"] / repeated
    for name, found in (("known", known), ("studentised", studentised), ("repeated", uncertain)):
        assert gain[f"p_{name}"] == pytest.approx(found / count, abs=4 * sqrt(found) / count)
    assert gain["p_studentised"] < 0.05 < gain["p_known"] < gain["p_relabelled"] < gain["p_repeated"]


def test_table2_rows_and_columns(audit, cells):
    off = audit["table2"]["off_baseline"]
    assert (off["off"], off["rows"], off["tied"]) == (17, 18, 0)
    assert off["p"] == pytest.approx(sum(comb(18, m) * 6**m for m in (17, 18)) / 7**18, rel=1e-5)
    assert off["p"] == pytest.approx(0.25, abs=0.005)
    columns = pd.DataFrame(audit["table2"]["columns"])
    difference = cells[:, 1:] - cells[:, :1]
    t = difference.mean(axis=0) / (difference.std(axis=0, ddof=1) / sqrt(18))
    np.testing.assert_allclose(columns["p"], 2 * stats.t.sf(abs(t), 17), rtol=1e-4)
    assert columns["p"].min() == pytest.approx(0.064, abs=5e-4)
    assert columns["p_holm"].min() == pytest.approx(6 * columns["p"].min(), rel=1e-4)
    placements = pd.DataFrame(audit["table2"]["placements"])
    assert placements["images_between"].tolist() == [3, 2, 5, 2, 3, 2]
    assert placements["first"].tolist() == ["1", "1", "1", "pre-skip", "1", "empirical"]


def test_table3(audit):
    published = pd.read_csv(PUBLISHED / "table3.csv")
    accuracy, iou = audit["table3"]["measures"]
    assert (iou["better"], accuracy["better"]) == (4, 6)
    assert iou["p_signs"] == pytest.approx((15 + 6 + 1) / 64) and accuracy["p_signs"] == pytest.approx(1 / 64)
    assert iou["p_rank"] == pytest.approx(3 / 7, rel=1e-5) and accuracy["p_rank"] == pytest.approx(1 / 7, rel=1e-5)
    timing = audit["table3"]["timing"]
    seconds = published["training_seconds"] / published["epochs"]
    assert (timing["seconds_per_epoch_min"], timing["seconds_per_epoch_max"]) == pytest.approx((393, 550), abs=0.5)
    assert timing["fastest_saving"] == pytest.approx(1 - 8304.54 / 9276.82, rel=1e-5)
    assert timing["fastest_epochs_saving"] == pytest.approx(1 - 21 / 20)  # slower, counted in epochs
    drawn = np.exp(np.random.default_rng(14).normal(0, np.log(seconds).std(), size=(200_000, 7)))
    ratio = drawn[:, 1:].min(axis=1) / drawn[:, 0]
    assert timing["claimed_saving_by_noise_probability"] == pytest.approx((ratio <= 0.9).mean(), abs=0.005)
    assert timing["expected_saving_by_noise"] == pytest.approx(1 - np.exp(np.log(ratio).mean()), abs=0.002)
    rows = pd.DataFrame(audit["table3"]["rows"])
    np.testing.assert_allclose(rows["time_ratio"], rows["epochs_ratio"] * rows["seconds_per_epoch_ratio"], rtol=1e-4)


def test_the_command_writes_the_same_bytes_at_every_scale(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    shutil.copytree(PUBLISHED, tmp_path / "data" / "published")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for scale in ("demo", "paper"):
        assert main(["published-audit", "--scale", scale]) == 0
    written = [tmp_path / "data" / "runs" / scale / "published-audit.json" for scale in ("demo", "paper")]
    assert written[0].read_bytes() == written[1].read_bytes()
    assert [path.name for path in written[0].parent.iterdir()] == [written[0].name]


def test_the_report_needs_the_record_alone(tmp_path, monkeypatch):
    parts = parts_of(load("paper", ROOT / "params.yaml"), "published_tables")
    monkeypatch.chdir(tmp_path)

    def shown():
        findings = {part.name: findings_of(part) for part in parts}
        assert room("published_tables").verdicts(findings) == {}
        return room("published_tables").sections(parts, findings, tmp_path / "reports", "a note for stand-in data")

    (missing,) = shown()
    assert "python -m replication published-audit --scale paper" in missing.about
    (tmp_path / "data" / "runs" / "paper").mkdir(parents=True)
    shutil.copy(COMMITTED, tmp_path / "data" / "runs" / "paper")
    sections = shown()
    assert [len(section.tables) for section in sections] == [3, 4, 2]
    for section in sections:
        assert not section.note
        assert all(table.path.exists() and not table.frame.isna().any(axis=None) for table in section.tables)
        assert all(figure.path.exists() and figure.path.with_suffix(".svg").exists() for figure in section.figures)
        points = section.about.split("\n\n")[-1].strip().splitlines()
        assert len(points) >= 4 and all(re.match(r"- \*\*", point) for point in points)
    assert "5 of 9 rows stay below 0.05" in sections[0].about
    assert "17 of 18 rows" in sections[1].about and "p = 0.25" in sections[1].about
    assert "393 to 550" in sections[2].about
