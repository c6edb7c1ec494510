"""The theory stage: its rows against independent references, its record, and the verdict on made-up records."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch.nn import functional as F

from entropy_guidance import convolution_matrix
from replication.core import paths
from replication.theory import experiment, record
from replication.theory.layers import (
    CLASSES,
    conv_row,
    dense_row,
    glorot,
    random_layers,
    rational_log_abs_det,
    zero_padded_matrix,
)
from replication.theory.settings import Theory
from replication.theory.statistics import claims
from replication.theory.witness import witness

SMALL = Theory(layers=2, filters=3, samples=200, repeats=2)
seeds = st.integers(0, 2**31)


def draw(*shape, seed=0):
    return glorot(np.random.default_rng(seed), *shape)


def log_singular_values(matrix):
    return np.log(np.linalg.svd(np.asarray(matrix), compute_uv=False)).sum()


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.integers(1, 12), seeds)
def test_dense_rows(outputs, inputs, seed):
    weight, k = draw(outputs, inputs, seed=seed), min(outputs, inputs)
    row = dense_row(weight)
    assert (row["outputs"], row["inputs"]) == (outputs, inputs)
    assert row["error"] < 1e-9
    assert row["formula"] == pytest.approx(log_singular_values(weight[:k, :k]), abs=1e-6)
    assert row["exact"] == pytest.approx(log_singular_values(weight), abs=1e-6)
    if outputs != inputs:
        assert row["others"] == [pytest.approx(log_singular_values(weight[-k:, -k:]), abs=1e-6)]
    assert row["formula"] <= row["exact"] + 1e-9  # Cauchy and Binet


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), seeds)
def test_corollary_6_in_exact_fractions(p, q, more_rows, more_columns, seed):
    kernel, image = draw(1, 1, p, q, seed=seed), (p + more_rows, q + more_columns)
    row = conv_row(kernel, image, "valid")
    assert row["error"] == 1e-10  # nothing but rounding
    assert row["formula"] == pytest.approx((more_rows + 1) * (more_columns + 1) * math.log(abs(kernel[0, 0, 0, 0])))
    layer = F.conv2d(torch.eye(image[0] * image[1], dtype=torch.float64).reshape(-1, 1, *image), kernel).flatten(1).T
    assert row["exact"] == pytest.approx(log_singular_values(layer), abs=1e-6)
    assert max(row["formula"], *row["others"]) <= row["exact"] + 1e-9


@hypothesis_settings(deadline=None, max_examples=30)
@given(st.integers(1, 8), seeds)
def test_the_determinant_in_fractions(size, seed):
    matrix = draw(size, size, seed=seed)
    assert rational_log_abs_det(matrix) == pytest.approx(np.linalg.slogdet(matrix.numpy())[1], abs=1e-9)


def test_a_determinant_that_lu_loses():
    kernel = torch.tensor([[1e-3, 1.0], [1.0, 1.0]], dtype=torch.float64)
    matrix = convolution_matrix(kernel, (8, 8), completed=True)
    assert rational_log_abs_det(matrix) == pytest.approx(49 * math.log(1e-3), rel=1e-12)
    assert rational_log_abs_det(torch.ones(2, 2)) == -math.inf
    assert rational_log_abs_det(torch.tensor([[0.0, 2.0], [3.0, 0.0]])) == pytest.approx(math.log(6))


@pytest.mark.parametrize("channels", [(1, 1), (2, 2), (3, 1)])
def test_zero_padding_is_torchs(channels):
    kernel, image = draw(*channels, 3, 3), (4, 5)
    basis = torch.eye(channels[1] * 20, dtype=torch.float64).reshape(-1, channels[1], *image)
    same = F.conv2d(basis, kernel, padding="same").flatten(1).T
    causal = F.conv2d(F.pad(basis, (0, 2, 0, 2)), kernel).flatten(1).T
    torch.testing.assert_close(zero_padded_matrix(kernel, image, (1, 1)), same)
    torch.testing.assert_close(zero_padded_matrix(kernel, image, (0, 0)), causal)
    assert conv_row(kernel, image, "same")["exact"] == pytest.approx(log_singular_values(same))


def test_a_causal_layer_is_where_the_formula_holds():
    row = conv_row(draw(1, 1, 3, 2), (5, 6), "causal")
    assert row["exact"] == pytest.approx(row["formula"]) and row["outputs"] == row["inputs"] == 30
    assert row["others"] == []


def test_every_class_has_the_shapes_that_its_name_says():
    sizes = {}
    for row in random_layers(5):
        sizes.setdefault(row["class"], set()).add(np.sign(row["outputs"] - row["inputs"]).item())
    square = ("square", "same", "circular", "causal")
    for name, signs in sizes.items():
        more = "tall" in name or "more output" in name
        expected = 1 if more else 0 if any(word in name for word in square) else -1
        assert signs == {expected}, name
    assert sizes.keys() == {*CLASSES, "dense, wide: MNIST autoencoders"}


def test_the_closed_form_depends_on_the_law_only_where_dimensions_are_lost():
    rows = list(witness(samples=100, repeats=2))
    for row in rows:
        lost = max(row["inputs"] - row["outputs"], 0)
        if row["law"] == "white":
            assert row["closed"] == pytest.approx(row["exact"] - lost * math.log(2 * math.pi * math.e) / 2)
        elif row["law"] == "deviation 3":
            expected = row["exact"] - lost * (math.log(2 * math.pi * math.e) / 2 + math.log(3))
            assert row["closed"] == pytest.approx(expected)
        elif not lost:
            assert row["closed"] == pytest.approx(row["exact"])
    assert {np.sign(row["outputs"] - row["inputs"]) for row in rows} == {-1, 0, 1}


def test_the_estimates_meet_the_closed_form():
    rows = list(witness(samples=2000, repeats=2))
    assert max(abs(row["estimate"] - row["closed"]) for row in rows) < 0.15


def test_filters():
    rows = {row["filter"]: row for row in experiment.filters(1)}
    copy = rows["copy (1 in the centre)"]
    assert copy["exact"] == pytest.approx(0) and copy["c11"] == -math.inf and copy["centre"] == 0
    assert copy["rms"] == pytest.approx(math.log(1 / 3))
    assert {name for name in ("c11", "c1q", "cp1", "cpq") if rows["shift (1 in the upper left)"][name] == 0} == {"c11"}


def test_the_record_is_the_same_every_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = [paths.record(scale, record.NAME) for scale in ("a", "b")]
    for path in written:
        record.save(experiment.run(SMALL), path)
    assert written[0].read_bytes() == written[1].read_bytes()
    recorded = record.read("a")
    assert [len(rows) for rows in recorded.values()] == [2 * len(CLASSES) + 7, 30, 6 + 3]
    assert recorded["filters"][0]["c11"] == -math.inf
    assert record.read("none") == {"layers": [], "witness": [], "filters": []}


def layer(class_="dense, wide", **changes):
    """A layer whose formula is exact, but for the changes."""
    sizes = {"shape": "", "outputs": 2, "inputs": 2}
    return {"class": class_, **sizes, "formula": 1.0, "exact": 1.0, "others": [], "error": 1e-10, **changes}


def verdict(*layers, off=0.0):
    witness = pd.DataFrame([{"estimate": 1.0 + off, "closed": 1.0}])
    return claims.verdict(claims.layers_frame(list(layers)), witness)


def test_verdicts():
    equal, different = layer(others=[1.005]), layer("convolution", formula=-3.0)
    assert verdict(equal).verdict == "reproduced" and verdict(equal).control == "survives"
    partly = verdict(equal, different)
    assert partly.verdict == "partly" and "convolution (-4)" in partly.evidence
    assert verdict(layer(), layer(formula=1.02)).verdict == "partly"  # one shape of the class is enough
    assert verdict(equal, layer(error=1e-8)).verdict == "not reproduced"
    assert verdict(equal, off=0.2).verdict == "inconclusive"
    assert verdict(equal, layer(others=[1.0, 1.5])).control == "does not survive"
    assert verdict(layer()).control == "not tested"
    assert verdict().verdict == "not tested"
    assert claims.verdict(claims.layers_frame([layer()]), pd.DataFrame()).verdict == "not tested"


def test_borders_of_the_verdicts():
    assert verdict(layer(), layer(error=1.5e-9)).verdict == "not reproduced"
    assert verdict(layer(), layer(formula=1.015)).verdict == "partly"
    assert verdict(layer(), off=-0.2).verdict == "inconclusive"
    others = verdict(layer(others=[1.0]), layer(others=[1.0]), layer(others=[1.015]))  # the largest decides
    assert others.control == "does not survive"
    own = verdict(layer(formula=2.0, exact=2.0, others=[1.0]))  # the paper's completion counts too
    assert own.control == "does not survive"
    constant = math.log(2 * math.pi * math.e) / 2  # a dimension lost, its entropy counted
    assert claims.agreeing(claims.layers_frame([layer(outputs=1, formula=1 - constant)])).all()


def test_both_readings_of_a_lost_dimension():
    constant = math.log(2 * math.pi * math.e) / 2
    frame = claims.layers_frame([layer(outputs=1), layer(outputs=1, formula=1 - constant), layer(outputs=3)])
    assert frame["within"].tolist() == pytest.approx([0, -constant, 0])
    assert frame["plain"].tolist() == pytest.approx([constant, 0, math.inf])
    # a class agrees in one reading for all its shapes, not in each shape by another reading
    assert not claims.agreeing(frame.iloc[:2]).any() and claims.agreeing(frame.iloc[[0, 2]]).all()
