import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from replication.core.errors import UserError
from replication.core.family import findings_of, parts_of, room
from replication.core.paths import PARAMS
from replication.core.profiled_weights import OTHERS
from replication.core.run import Run
from replication.core.settings import load
from replication.profiles import measure, record, trained_networks, zoo
from replication.profiles.statistics import claims

ROOT = PARAMS.absolute().parent


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 20, 3), nn.Conv2d(20, 30, 1), nn.Linear(4, 4))


def test_layers_describe_their_weights():
    net = network()
    first, second = measure.describe_layers(net, network="small", weights="random")
    weight = net[0].weight.detach().double().numpy()
    assert first["shape"] == [20, 3, 3, 3] and first["fan_in"] == 27 and first["n"] == 60 and first["layer"] == 1
    assert first["log_sigma"] == pytest.approx(np.log(weight.std(ddof=1)), abs=1e-6)
    np.testing.assert_allclose(first["positions"], np.log(np.abs(weight)).mean(axis=(0, 1)), atol=1e-6)
    assert first["positions"][0][0] == pytest.approx(first["mean"], abs=1e-5)
    assert np.shape(second["positions"]) == (1, 1)
    assert json.loads(json.dumps(first)) == first


def test_volumes_and_transposed_convolutions():
    """The transposed ones count behind the others, and stand beside."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(2, 3, (1, 2, 3)), nn.ConvTranspose3d(3, 6, 2, groups=3), nn.Conv3d(6, 1, 1))
    found = measure.describe_layers(net, ["2"], network="n", weights="w")
    assert [(row["layer"], row["name"], row.get("transposed")) for row in found] == [
        (1, "0", None),
        (2, "2", None),
        (3, "1", True),
    ]
    assert [row["pre_skip"] for row in found] == [False, True, False]
    weight = net[0].weight.detach().double().numpy()
    np.testing.assert_allclose(found[0]["positions"], np.log(np.abs(weight)).mean(axis=(0, 1)), atol=1e-6)
    sizes = np.sqrt(np.square(weight).mean(axis=(1, 2, 3, 4), keepdims=True))
    assert found[0]["relative"] == pytest.approx(np.log(np.abs(weight / sizes))[:, :, 0, 0, 0].mean(), abs=1e-5)
    assert [row["fan_in"] for row in found] == [12, 6, 8]
    table = record.frame(found)
    assert table["transposed"].tolist() == [False, False, True] and len(record.own(table)) == 2
    assert measure.describe_layers(net, differs=0.0)[0]["positions"] is None  # of a function told before


def test_every_kind_of_another_network_may_stand_in_the_settings():
    assert set(trained_networks.KINDS) == set(OTHERS)


def demo(**changes):
    """The demo's parameters, with other profiles: network=(network, weights...)."""
    parameters = load("demo", path=ROOT / "params.yaml")
    profiles = {name: {"network": network, "weights": weights} for name, (network, *weights) in changes.items()}
    of_scale = parameters.of_scale | {"profiles": parameters.of_scale["profiles"] | profiles}
    return dataclasses.replace(parameters, of_scale=of_scale)


def test_a_record_keeps_what_cannot_be_had_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parameters = demo(vgg16=("small-vgg", "mine.pt", "random"), resnet50=("resnot", "random"))
    assert "profile is left out" in measure.write(parameters, "vgg16")[0]
    torch.save(zoo.build("small-vgg").state_dict(), "mine.pt")
    assert all("8 convolutions" in message for message in measure.write(parameters, "vgg16"))
    path = record.record_path("demo", "vgg16")
    before = path.read_text()
    (tmp_path / "mine.pt").unlink()
    assert "recorded profile is kept" in measure.write(parameters, "vgg16")[0]
    assert path.read_text() == before
    assert {row["weights"] for row in record.read_record(path)} == {"mine.pt", "random"}
    with pytest.raises(UserError, match=r"profiles.resnet50.network: no network 'resnot'"):
        measure.write(parameters, "resnet50")
    assert not record.record_path("demo", "resnet50").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"vgg16": {"network": "vgg16", "weights": []}},
            "demo.profiles.vgg16.weights: expected a list that is not empty, got",
        ),
        ({"vgg16": {"network": "vgg16"}}, "demo.profiles.vgg16: missing parameter weights"),
        ({"unet": {"network": 5, "weights": ["random"]}}, "demo.profiles.unet.network: expected a text, got 5"),
        (
            {"vgg19": {"network": "vgg19", "weights": ["random"]}},
            "demo.profiles: unknown parameter vgg19. Known: vgg16",
        ),
    ],
)
def test_mistakes_in_the_settings(changes, message):
    parameters = demo()
    of_scale = parameters.of_scale | {"profiles": parameters.of_scale["profiles"] | changes}
    with pytest.raises(UserError, match=message):
        parts_of(dataclasses.replace(parameters, of_scale=of_scale), "profiles")


class UNets:
    """A family of which no run is trained, or that this scale does not have."""

    def __init__(self, name, *lambdas):
        self.name = name
        settings = {"network": "unet", "widths": "4-8", "dropout": 0.0}
        self.grid = [Run(name, {**settings, "lambda": lambda_}) for lambda_ in lambdas]


def test_the_unets_family_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parameters = demo(unet=("unet-coco", "trained", "sample", "random"))
    known = {"unet-coco": UNets("unet-coco", 1.0, 0.0), "unet-coco-sample": UNets("unet-coco-sample")}
    monkeypatch.setattr(measure, "find", lambda _, name: known[name])
    trained, sample, random = measure.write(parameters, "unet")
    assert "no weights of the unguided run of unet-coco here; `python -m replication sweep --scale demo" in trained
    assert "profile is left out. scale demo has no run of unet-coco-sample without guidance" in sample
    assert (
        random == "unet, random weights (Glorot-uniform, seed 0): 8 convolutions"
    )  # two by two, two on the way up, the output; and a transposed one, behind them
    rows = record.read_record(record.record_path("demo", "unet"))
    assert {row["network"] for row in rows} == {"unet"} and rows[0]["shape"] == [4, 3, 3, 3]


def test_the_section(tmp_path, monkeypatch):
    """Without a record, with that of one network, and with all."""
    parameters = demo(vgg16=("small-vgg", "mine.pt", "random"))
    parts = parts_of(parameters, "profiles")
    assert [part.stand_in for part in parts] == [True]
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    (tmp_path / "data" / "published").symlink_to(ROOT / "data" / "published")

    def shown():
        findings = {part.name: findings_of(part) for part in parts}
        (section,) = room("profiles").sections(parts, findings, Path("reports"), "a note")
        return findings["profiles"], room("profiles").verdicts(findings), section

    found, verdicts, section = shown()
    assert not section.tables and not section.figures and found.metrics == {}
    assert {claim: verdict.verdict for claim, verdict in verdicts.items()} == {"C2": "not tested", "C3": "not tested"}
    assert (
        "**VGG16** (`small-vgg`): no profile yet. Missing: mine.pt, random (Glorot uniform); `python" in section.about
    )

    measure.write(parameters, "vgg16")
    found, verdicts, section = shown()
    assert found.metrics == {"vgg16": 8} and section.note == "a note"
    assert [figure.path.stem for figure in section.figures] == ["figure1-vgg16", "h5-weight-scale"]
    names = ["beside-published", "vgg16-layers", "weight-scale", "empirical"]
    assert [table.path.stem for table in section.tables] == [f"profiles-{name}" for name in names]
    layers = record.frame(record.read_record(record.record_path("demo", "vgg16")))
    table = section.tables[1].frame
    np.testing.assert_array_equal(table["random - log sigma"], layers["mean"] - layers["log_sigma"])
    np.testing.assert_array_equal(table["random IQR"], layers["q3"] - layers["q1"])
    outliers = (layers["outliers_low"] + layers["outliers_high"]) / layers["n"]
    np.testing.assert_array_equal(table["random outliers"], outliers)


def test_real_data_are_no_stand_in():
    (part,) = parts_of(load("paper", path=ROOT / "params.yaml"), "profiles")
    assert not part.stand_in


@pytest.mark.parametrize(
    ("means", "better"),
    [
        (-5.5 + 3.3 * np.exp(-0.8 * np.arange(13)) + 0.02 * np.sin(np.arange(13) * 7), "exponential"),
        (-3 - 0.1 * np.arange(13) + 0.02 * (-1) ** np.arange(13), "linear"),
    ],
)
def test_decay_tells_a_line_from_an_exponential(means, better):
    assert claims.decay(means).better == better


def test_aicc_of_the_line_is_statsmodels():
    import statsmodels.api as sm

    means = np.array([-3.0, -3.3, -3.2, -3.9, -4.1, -4.0, -4.6])
    fit = sm.OLS(means, sm.add_constant(np.arange(7))).fit()
    constant = 7 * (np.log(2 * np.pi) + 1)  # statsmodels keeps it; and its k leaves out the variance
    aic = fit.aic - constant + 2
    assert claims.decay(means).linear == pytest.approx(aic + 2 * 3 * 4 / (7 - 3 - 1))


def layers(weights, means, *, log_sigma=None, outliers=30):
    means = np.asarray(means, dtype=float)
    sigma = means + 0.6 if log_sigma is None else np.asarray(log_sigma, dtype=float)
    table = pd.DataFrame({"layer": range(1, len(means) + 1), "mean": means, "log_sigma": sigma})
    table["name"] = [f"c{k}" for k in table["layer"]]
    table["n"], table["outliers_low"], table["outliers_high"] = 1000, outliers, 0
    table["network"], table["weights"], table["fan_in"] = "net", weights, 27
    table["positions"] = [[[mean, mean]] for mean in means]
    table["q1"], table["q3"] = means - 0.5, means + 0.5
    table["shape"] = [[8, 3, 3, 3]] * len(means)
    return table.assign(residual=table["mean"] - table["log_sigma"])


TRAINED = -5.5 + 3.3 * np.exp(-0.8 * np.arange(13))
LINE = -3 - 0.1 * np.arange(13) + 0.01 * (-1) ** np.arange(13)


def test_c2_reproduced_but_only_weight_scale():
    trained = layers("imagenet", TRAINED, outliers=10)
    trained.loc[2:, "q3"] += 0.1
    verdict = claims.c2(pd.concat([trained, layers("random", LINE).assign(q3=lambda table: table["q3"] + 0.05)]))
    assert (verdict.verdict, verdict.control) == ("reproduced", "does not survive")
    assert "scatters more in 11 of 13 layers" in verdict.evidence


def test_the_control_of_c2_says_what_is_left_without_layer_1():
    left = np.array([9.0, *np.linspace(0, 0.33, 12)])
    trained = layers("imagenet", TRAINED, log_sigma=TRAINED - left)
    found = claims.c2(pd.concat([trained, layers("random", LINE)]))
    share = 0.33 / (TRAINED[1] - TRAINED[12])
    assert found.control_evidence.endswith(
        f"Without layer 1 {share:.0%}, and what is left changes by +0.030 nats a layer"
    )


def test_c2_survives_when_the_scale_is_the_same_in_all_layers():
    table = pd.concat([layers("imagenet", TRAINED, log_sigma=np.linspace(-3, -2.9, 13)), layers("random", LINE)])
    verdict = claims.c2(table)
    assert (verdict.verdict, verdict.control) == ("partly", "survives")  # as many outliers as the random one
    assert "does not: uniformity" in verdict.evidence


def test_c2_not_reproduced_and_not_tested():
    table = pd.concat([layers("imagenet", LINE, outliers=50), layers("random", TRAINED)])
    assert claims.c2(table).verdict == "not reproduced"
    assert claims.c2(layers("random", LINE)).verdict == "not tested"
    assert claims.c2(pd.DataFrame()).verdict == "not tested"


def test_measures_by_hand():
    table = layers("w", [-2, -2.5, -3, -4, -4, -5, -6])
    found = claims.measures(table.assign(outliers_low=[30, 0, 0, 0, 0, 0, 10], outliers_high=[0, 10, 0, 0, 0, 0, 0]))
    assert (found["first"], found["last"]) == (-2, -5)
    expected = (
        "0.71% of filters, 80.0% of them larger drops; 1.33% in the first half of the layers, 0.25% in the second"
    )
    assert found["outliers"] == expected


@pytest.mark.parametrize(
    ("trained", "random", "part"),
    [
        (-5.5 + 2.5 * np.exp(-0.8 * np.arange(13)), LINE, "early and late"),  # layer 1 at -3.0
        (-6.2 + 4.0 * np.exp(-0.8 * np.arange(13)), LINE, "early and late"),  # the last three at -6.2
        (TRAINED, TRAINED, "decay"),
    ],
)
def test_each_part_of_c2_can_fail_alone(trained, random, part):
    found = claims.c2(pd.concat([layers("imagenet", trained, outliers=10), layers("random", random)]))
    assert found.verdict == "partly" and found.evidence.endswith(f"does not: {part}")


@pytest.mark.parametrize(("share", "control"), [(0.2, "does not survive"), (0.3, "survives")])
def test_c2_survives_from_a_quarter_on(share, control):
    table = pd.concat([layers("imagenet", TRAINED, log_sigma=(1 - share) * TRAINED), layers("random", LINE)])
    assert claims.c2(table).control == control


def test_the_share_of_outliers_of_normal_weights():
    logs = np.log(np.abs(np.random.default_rng(0).normal(0, 3, 400_000)))
    low, high = np.quantile(logs, [0.25, 0.75])
    outside = (logs < low - 1.5 * (high - low)) | (logs > high + 1.5 * (high - low))
    assert claims.outlier_share_of_normal() == pytest.approx(outside.mean(), abs=0.002)


def test_c3_by_its_rule():
    nothing = pd.DataFrame()
    residual = 0.1 * np.sin(np.arange(13))
    vgg16 = pd.concat(
        [
            layers("imagenet", TRAINED, log_sigma=TRAINED + residual),
            layers("edges", TRAINED + 0.01, log_sigma=TRAINED + residual),
            layers("random", LINE, log_sigma=LINE + 0.1 * np.cos(np.arange(13))),
        ]
    )
    assert claims.c3(nothing, nothing, nothing).verdict == "not tested"
    verdict = claims.c3(vgg16, nothing, nothing)
    assert (verdict.verdict, verdict.control) == ("inconclusive", "inconclusive")
    assert verdict.so_far == "partly, 1 of 3 parts"
    assert "not tested, no trained weights: ResNet-50 before skips, U-Net at both ends" in verdict.evidence

    unet = layers("trained", [-2, -3, -5, -6, -6, -5, -3, -2])
    resnet = layers("imagenet", [-2, -4, -2, -4]).assign(pre_skip=[True, False, True, False])
    assert claims.c3(vgg16, resnet, unet).verdict == "reproduced"
    assert claims.c3(vgg16, resnet.assign(pre_skip=~resnet["pre_skip"]), unet).verdict == "not reproduced"
    chance = claims.c3(vgg16, layers("random", [-2, -4]).assign(pre_skip=[True, False]), unet)
    assert (chance.verdict, chance.so_far) == (
        "partly",
        "",
    ) and "Random weights already show" in chance.control_evidence

    other = layers("edges", TRAINED, log_sigma=TRAINED - residual)
    alone = pd.concat([vgg16[vgg16["weights"] != "edges"], other])
    assert claims.c3(alone, nothing, nothing).control == "does not survive"


def vgg16_of(edges=TRAINED, random=LINE, left=()):
    """Profiles of trained, fine-tuned and random weights; `left`: what is left of them without the scale."""
    means = {"imagenet": TRAINED, "edges": edges, "random": random}
    wave = np.arange(13)
    waves = {"imagenet": np.sin(wave), "edges": np.sin(wave), "random": np.cos(wave)} | dict(left)
    return pd.concat([layers(name, mean, log_sigma=mean - 0.1 * waves[name]) for name, mean in means.items()])


def test_c3_asks_for_more_than_any_network_has():
    def control(vgg16):
        return claims.c3(vgg16, pd.DataFrame(), pd.DataFrame()).control

    waves = np.cos(2 * np.arange(13))
    assert control(vgg16_of(edges=TRAINED + 0.3 * waves)) == "inconclusive"
    assert control(vgg16_of(edges=TRAINED + 0.3 * waves, random=TRAINED)) == "does not survive"
    alike = np.sin(np.arange(13))
    near = alike + 0.3 * np.cos(3 * np.arange(13))
    assert control(vgg16_of(left={"imagenet": near, "random": alike})) == "does not survive"


def test_each_part_of_c3():
    def c3(vgg16=None, unet=None):
        empty = pd.DataFrame()
        return claims.c3(empty if vgg16 is None else vgg16, empty, empty if unet is None else unet)

    part = TRAINED + 1.0 * np.cos(2 * np.arange(13))
    assert 0.5 < np.corrcoef(TRAINED, part)[0, 1] < 0.9
    assert c3(vgg16_of(edges=part)).so_far == "not reproduced, 1 of 3 parts"
    two_layers_a_quarter = layers("trained", [-6, -1, -5, -5, -5, -5, -1, -6])
    assert c3(unet=two_layers_a_quarter).so_far == "partly, 1 of 3 parts"
    assert c3(vgg16_of(edges=part), two_layers_a_quarter).verdict == "not reproduced"
    sample = c3(unet=layers("sample", [-6, -6, -5, -5, -5, -5, -6, -6]))
    assert sample.verdict == "not tested" and "on a sample of the data: decides nothing" in sample.evidence


def test_scale_table_by_hand():
    means, sigma = np.array([-1.0, -2.0, -4.0]), np.array([-1.0, -3.0, -2.0])
    table = layers("w", means, log_sigma=sigma).assign(fan_in=np.exp(-means))
    table["positions"] = [[[-1.0, -1.0]], [[-2.0, -2.5]], [[-4.0, -5.0]]]
    (row,) = claims.scale_table(table).to_dict("records")
    assert row["r2_fan_in"] == pytest.approx(1) and row["r2"] == pytest.approx(np.corrcoef(means, sigma)[0, 1] ** 2)
    assert row["position_spread"] == pytest.approx((0 + 0.5 + 1) / 3)
    assert (row["mean_range"], row["residual_range"], row["share"]) == (3, 3, 1)


def test_the_share_that_pure_scale_leaves_by_drawing_whole_networks(monkeypatch):
    """Layers of few filters leave much of their range without there being more than scale; both ways to draw agree."""
    small = layers("w", [0, 0, 0, 0], log_sigma=[-1.0, -1.5, -2.0, -1.2]).assign(n=[4, 16, 100, 16])
    rng, shares = np.random.default_rng(1), []
    for _ in range(2000):
        drawn = [rng.normal(0, np.exp(row.log_sigma), (row.n, 2)) for row in small.itertuples()]
        means = np.array([np.log(np.abs(w[:, 0])).mean() for w in drawn])
        shares.append(np.ptp(means - [np.log(w.std()) for w in drawn]) / np.ptp(means))
    expected = np.quantile(shares, [0.05, 0.95])
    found = claims.share_of_pure_scale(small)
    assert found == pytest.approx(expected, rel=0.15) and found[1] > 0.5
    large = small.assign(n=5000)
    exact = claims.share_of_pure_scale(large)
    monkeypatch.setattr(claims, "FEW_WEIGHTS", 0)
    assert claims.share_of_pure_scale(large) == pytest.approx(exact, rel=0.25) and exact[1] < 0.1


def test_c3_by_networks_of_another_kind():
    """They decide where the paper's own have no trained weights, and say what they are."""
    resnet = layers("open-nsfw", [-2, -4, -2, -4]).assign(pre_skip=[True, False, True, False], relative=-0.5)
    twin = resnet.assign(weights="open-nsfw-random")
    unet = layers("platelet-unet", [-2, -3, -5, -6, -6, -5, -3, -2])
    found = claims.c3(vgg16_of(), pd.concat([resnet, twin]), unet)
    assert found.verdict == "reproduced"
    assert (
        "ResNet-50 before skips: -2.00 there, -4.00 elsewhere (of the layers' means), half width, another task, norms "
        "folded; log sigma -1.40 and -3.40; relative to each output's own weights -0.50 and -0.50" in found.evidence
    )
    assert "half width" in found.control_evidence
    low = layers("imagenet", [-4, -2, -4, -2]).assign(pre_skip=[True, False, True, False])
    assert claims.c3(vgg16_of(), pd.concat([low, resnet]), unet).verdict == "not reproduced"  # ResNet-50's own first
    assert claims.c3(vgg16_of(), resnet.assign(pre_skip=~resnet["pre_skip"]), unet).verdict == "not reproduced"


def test_hes_rule_has_the_opposite_contrast():
    """Before a skip a bottleneck's last convolution widens: its fan-out is larger than that of the others."""
    table = layers("random", [-2, -4]).assign(pre_skip=[True, False])
    table["shape"] = [[256, 64, 1, 1], [64, 64, 1, 1]]
    verdict = claims.c3(vgg16_of(), table, pd.DataFrame())
    assert f"by He's, of the fan-out, {np.log(64 / 256) / 2:+.2f} between the two" in verdict.control_evidence


def test_scale_table_on_weights_that_are_nothing_but_scale():
    torch.manual_seed(0)
    net = nn.Sequential(*[nn.Conv2d(40, 40, 3) for _ in range(4)])
    for sigma, layer in zip((0.5, 0.2, 0.1, 0.05), net, strict=True):
        nn.init.normal_(layer.weight, std=sigma)
    (row,) = claims.scale_table(record.frame(measure.describe_layers(net, network="n", weights="w"))).to_dict("records")
    assert row["residual"] == pytest.approx(-0.635, abs=0.03)  # (psi(1/2) + log 2) / 2
    assert row["slope"] == pytest.approx(1, abs=0.05) and row["r2"] > 0.99 and row["share"] < 0.05


def test_unknown_weights_are_a_users_mistake():
    with pytest.raises(UserError, match="no file elsewhere"):
        zoo.load_weights(nn.Identity(), "small-vgg", "elsewhere")


def test_the_ends_are_the_first_and_last_quarter():
    means = [-4] * 3 + [-5] * 6 + [-4] * 3  # of 12 layers; a third would take in the fourth
    assert claims.at_the_ends(layers("trained", means)) == (-4, -5)
