import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn
from torchvision.models import resnet50

from entropy_guidance import Profile, compare, conv_entropy_change, dense_entropy_change, profile

mpl.use("agg")


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, groups=3),
        nn.BatchNorm2d(6),
        nn.Embedding(6, 4),
        nn.Conv2d(4, 5, 1),
        nn.LayerNorm((2, 2)),
        nn.Linear(7, 4),
    )


def test_one_row_a_filter_slice_or_dense_layer():
    net = network()
    table = profile(net)
    assert isinstance(table, Profile)
    assert table.groupby("layer").size().to_dict() == {0: 2, 1: 6, 2: 20, 3: 1}
    first = table[table["layer"] == 1]
    np.testing.assert_allclose(first["entropy_change"], conv_entropy_change(net[0].weight).detach().flatten())
    row = table[(table["layer"] == 2) & (table["output"] == 3) & (table["input"] == 1)].iloc[0]
    assert row["entropy_change"] == pytest.approx(math.log(abs(net[3].weight[3, 1, 0, 0].item())), rel=1e-6)
    assert (row["name"], row["type"], row["shape"]) == ("3", "Conv2d", "(5, 4, 1, 1)")
    dense = table[table["layer"] == 3].iloc[0]
    assert dense["entropy_change"] == pytest.approx(dense_entropy_change(net[5].weight).item(), rel=1e-5)


def test_skipped_layers_say_why():
    skipped = profile(network()).skipped_layers()
    assert list(skipped["name"]) == ["2", "4"]
    assert "look-up" in skipped["skipped"][0] and "normalisation" in skipped["skipped"][1]
    assert list(skipped["shape"]) == ["(6, 4)", "(2, 2)"]
    shared = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    shared[1].weight = shared[0].weight
    assert list(profile(shared).skipped_layers()["skipped"]) == ["shares its weight with an earlier layer"]
    nothing = profile(nn.ReLU())
    assert len(nothing) == 0 and len(nothing.summary()) == 0


def test_summary_against_numpy_and_scipy():
    net = nn.Sequential(nn.Conv2d(30, 40, 3))
    nn.init.normal_(net[0].weight, generator=torch.Generator().manual_seed(1))
    values = np.log(np.abs(net[0].weight.detach().numpy()[:, :, 0, 0])).ravel()
    (row,) = profile(net).summary().to_dict("records")
    described = stats.describe(values)
    assert (row["n"], row["min"], row["max"]) == (1200, *(pytest.approx(v, rel=1e-6) for v in described.minmax))
    assert row["mean"] == pytest.approx(described.mean, rel=1e-6)
    assert row["std"] == pytest.approx(math.sqrt(described.variance), rel=1e-6)
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    assert [row["q1"], row["median"], row["q3"]] == pytest.approx([q1, median, q3], rel=1e-6)
    # matplotlib draws the same rule: its fliers are the outliers, its whiskers ours
    (box,) = mpl.cbook.boxplot_stats(values)
    assert row["outliers_low"] == (box["fliers"] < q1).sum() > 0
    assert row["outliers_high"] == (box["fliers"] > q3).sum()
    assert (row["whisker_low"], row["whisker_high"]) == pytest.approx((box["whislo"], box["whishi"]), rel=1e-6)


def test_high_outliers():
    net = nn.Sequential(nn.Conv2d(1, 12, 1))
    net[0].weight.data = torch.tensor([*range(10), 17.0, 18.0]).exp().reshape(12, 1, 1, 1)
    (row,) = profile(net).summary().to_dict("records")
    (box,) = mpl.cbook.boxplot_stats(net[0].weight.detach().log().flatten().numpy())
    assert row["outliers_high"] == len(box["fliers"]) == 2 and row["whisker_high"] == pytest.approx(9)


def test_zero_weights_are_counted_apart():
    net = nn.Sequential(nn.Conv2d(1, 3, 2))
    nn.init.constant_(net[0].weight, 0.5)
    net[0].weight.data[1] = 0
    (row,) = profile(net).summary().to_dict("records")
    assert (row["n"], row["zeros"], row["mean"]) == (2, 1, pytest.approx(math.log(0.5)))
    nn.init.zeros_(net[0].weight)
    (row,) = profile(net).summary().to_dict("records")
    assert (row["n"], row["zeros"]) == (0, 3) and math.isnan(row["mean"])


def test_anchor():
    net = network()
    found = profile(net, anchor=(2, 1))
    expected = conv_entropy_change(net[0].weight, anchor=(2, 1)).detach().flatten()
    np.testing.assert_allclose(found[found["layer"] == 1]["entropy_change"], expected)
    assert (found["layer"] == 2).sum() == 20  # 1 x 1 filters: their only weight
    row = nn.Sequential(nn.Conv2d(2, 3, (1, 3)))
    last = row[0].weight.detach()[:, :, 0, 2].abs().log().flatten()
    np.testing.assert_allclose(profile(row, anchor=(0, 2))["entropy_change"], last)


def test_compare():
    a, b = profile(network(0)), profile(network(1))
    table = compare(a, b)
    np.testing.assert_allclose(table["difference"], a.summary()["mean"] - b.summary()["mean"])
    assert list(table["name"]) == ["0", "3", "5"]
    with pytest.raises(ValueError, match="different architectures; they differ in 0, 1, 3, 5"):
        compare(a, profile(nn.Sequential(nn.Identity(), nn.Linear(3, 3))))


def test_every_column_of_a_comparison():
    sides = {}
    for seed, side in enumerate("ab"):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.Conv2d(6, 5, 1), nn.Linear(7, 4))
        net[0].weight.data[seed] *= 1e6  # an outlier above
        net[1].weight.data[seed, :2] *= 1e-6  # and two below
        sides[side] = profile(net)
    table = compare(**sides)
    for side, found in sides.items():
        summary = found.summary()
        outliers = (summary["outliers_low"] + summary["outliers_high"]) / summary["n"]
        expected = pd.DataFrame({"mean": summary["mean"], "std": summary["std"], "outliers": outliers})
        np.testing.assert_array_equal(table[[f"{name}_{side}" for name in expected]], expected)
        assert min(outliers[:2]) > 0


def test_dense_layers_are_computed_in_double_precision():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(300, 300))
    expected = torch.linalg.slogdet(net[0].weight.double()).logabsdet.item()
    assert profile(net)["entropy_change"][0] == pytest.approx(expected, rel=1e-10)


def test_boxes():
    torch.manual_seed(0)
    found = profile(nn.Sequential(nn.Conv2d(30, 40, 3)))
    (row,), axes = found.summary().round(6).to_dict("records"), found.plot()
    (dotted,) = axes.collections
    assert dotted.get_segments()[0][:, 1].tolist() == pytest.approx([row["min"], row["max"]], abs=1e-5)
    drawn = [set(np.round(line.get_ydata(), 6)) for line in axes.get_lines()]
    whiskers = [{row["q1"], row["whisker_low"]}, {row["q3"], row["whisker_high"]}]
    assert all(part in drawn for part in ({row["median"]}, {row["mean"]}, *whiskers))
    mpl.pyplot.close(axes.figure)


def test_a_large_network_and_its_plot():
    torch.manual_seed(0)
    summary = (found := profile(resnet50())).summary()
    assert len(summary) == 54 and summary["n"][0] == 64 * 3
    axes = found.plot()
    assert len(axes.get_lines()) >= 54 and axes.get_ylabel() == "entropy change (nats)"
    mpl.pyplot.close(axes.figure)


def test_parametrised_layers_are_layers_of_their_own():
    net = nn.Sequential(*(nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 2, 3)) for _ in range(60)))
    assert len(profile(net).summary()) == 60  # each weight is computed anew, perhaps where another lay


def diverged():
    net = nn.Sequential(nn.Conv2d(1, 3, 1))
    with torch.no_grad():
        net[0].weight[:, 0, 0, 0] = torch.tensor([math.nan, math.inf, 2.0])
    return net


def stacked():
    net = nn.Sequential(nn.Linear(2, 2))
    net[0].weight = nn.Parameter(torch.ones(3, 2, 2))
    return net


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (diverged(), "layer '0' has 2 weights that are not finite"),
        (nn.Sequential(nn.LazyLinear(2)), r"layer '0' .*: it has no weights yet: run the model once"),
        (nn.Sequential(nn.Linear(2, 2, device="meta")), "layer '0' has no weights yet: run the model once, on a real"),
    ],
)
def test_what_has_no_profile_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        profile(network)


def test_a_stack_of_matrices_has_a_value_each():
    net = stacked()
    net[0].weight.data = torch.eye(2) * torch.tensor([1.0, 2.0, 4.0])[:, None, None]
    table = profile(net)
    np.testing.assert_allclose(table["entropy_change"], 2 * np.log([1, 2, 4]), atol=1e-6)
    assert table["output"].tolist() == [0, 1, 2] and table["input"].tolist() == [-1] * 3
    (row,) = table.summary().to_dict("records")
    assert (row["n"], row["kind"], row["median"]) == (3, "matrices", pytest.approx(2 * math.log(2)))


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.inner = nn.Parameter(torch.ones(3, 4)), nn.Linear(2, 2)


def test_every_layer_with_a_weight_matrix_has_a_row():
    net = nn.Sequential(nn.LSTM(2, 2), nn.Bilinear(2, 2, 2), nn.EmbeddingBag(3, 2), nn.ConvTranspose1d(1, 1, 3))
    net.extend([nn.LayerNorm((2, 2)), nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), nn.ReLU(), Positions()])
    net.append(nn.MultiheadAttention(4, 2))
    found = profile(net)
    assert found.skipped_layers()["name"].tolist() == ["2", "4", "7"]
    assert "register_layer" in found.skipped_layers()["skipped"][2]
    rows = [(row["name"], row["part"]) for row in found.summary().to_dict("records")]
    recurrent = [("0", "weight_ih_l0"), ("0", "weight_hh_l0")]
    assert rows == [
        *recurrent,
        *((n, "") for n in ("1", "3", "5", "7.inner")),
        ("8", "in_proj_weight"),
        ("8.out_proj", ""),
    ]
    with pytest.raises(ValueError, match="no layer has a profile to be drawn"):
        profile(nn.ReLU()).plot()


@pytest.mark.filterwarnings("ignore:.*quantization is deprecated:DeprecationWarning")
def test_quantised_layers_are_listed():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    assert profile(quantised).skipped_layers()["name"].tolist() == ["0", "2"]


def test_a_profile_is_of_the_weights_as_they_were():
    net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.Linear(2, 2))
    found = profile(net)
    before = found.summary()
    for layer in net:
        layer.weight.data *= 7
    pd.testing.assert_frame_equal(found.summary(), before)
    np.testing.assert_allclose(found[found["layer"] == 1]["entropy_change"].mean(), before["mean"][0])
    assert len(found) == 5 and "Profile of 2 layers, 5 entropy changes, 0 skipped" in repr(found)
    assert found.groupby("layer").size().tolist() == [4, 1]  # as a data frame has it


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1001])
def test_quartiles_are_numpys(size):
    net = nn.Sequential(nn.Conv2d(1, size, 1))
    nn.init.normal_(net[0].weight, generator=torch.Generator().manual_seed(size))
    values = profile(net)["entropy_change"].to_numpy()
    (row,) = profile(net).summary().to_dict("records")
    assert [row["q1"], row["median"], row["q3"]] == pytest.approx(
        np.percentile(values, [25, 50, 75]).tolist(), rel=1e-15
    )
    (box,) = mpl.cbook.boxplot_stats(values)
    assert row["outliers_low"] + row["outliers_high"] == len(box["fliers"])
    assert (row["whisker_low"], row["whisker_high"]) == pytest.approx((box["whislo"], box["whishi"]), rel=1e-15)


def test_only_profiles_of_the_same_layers_are_compared():
    wide, narrow = (profile(nn.Sequential(nn.Linear(4, out))) for out in (3, 2))
    with pytest.raises(ValueError, match="different architectures; they differ in 0"):
        compare(wide, narrow)
    with pytest.raises(ValueError, match="wants two profiles"):
        compare(wide.summary(), wide.summary())


def test_outlier_shares_are_of_each_sides_own_weights():
    sides = {}
    for zeros, side in ((0, "a"), (6, "b")):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(6, 5, 1))
        net[0].weight.data[0, 0] *= 1e-6  # an outlier below
        net[0].weight.data[4, :zeros] = 0.0
        sides[side] = profile(net)
    share = compare(**sides)["outliers_b"].item()
    assert share > 0 and share * 24 == pytest.approx(round(share * 24))  # of 30 weights 6 are zero
