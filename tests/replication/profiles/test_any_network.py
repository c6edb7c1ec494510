"""The command `profile`: a network by name, and the weights of a file alone."""

import numpy as np
import pandas as pd
import pytest
import torch
from keras_files import keras_arrays, small_vgg_shapes, write_keras
from safetensors.torch import save_file
from torch import nn

from entropy_guidance import profile
from replication.__main__ import main
from replication.profiles import zoo


def test_the_profile_command(tmp_path, capsys):
    write_keras(tmp_path / "weights.h5", arrays := keras_arrays(small_vgg_shapes()))
    output, plot = tmp_path / "out" / "summary.csv", tmp_path / "plot.png"
    arguments = ["profile", "small-vgg", "--weights", str(tmp_path / "weights.h5")]
    assert main([*arguments, "--output", str(output), "--plot", str(plot)]) == 0
    table = pd.read_csv(output)
    assert list(table) == ["layer", "name", "n", "mean", "std", "q1", "median", "q3", "outliers_low", "outliers_high"]
    corner = np.log(np.abs(arrays["block_conv2"][0][0, 0]))
    assert table["mean"][2] == pytest.approx(corner.mean(), rel=1e-5)
    assert table["n"][2] == corner.size
    assert plot.stat().st_size > 10_000
    assert "nats" in capsys.readouterr().out
    diverged = zoo.build("small-vgg")
    diverged.features[0].weight.data.fill_(torch.nan)
    torch.save(diverged.state_dict(), tmp_path / "diverged.pt")
    assert main(["profile", "small-vgg", "--weights", str(tmp_path / "diverged.pt")]) == 2
    assert "layer 'features.0' has 144 weights that are not finite" in capsys.readouterr().err
    assert main(["profile", "vgg99"]) == 2
    assert "no network 'vgg99'" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_state_dict_has_the_profile_of_its_network(tmp_path, suffix):
    """All but the names, which are the file's."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(6, 8, (3, 2), groups=2), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(24, 5))
    path, output = tmp_path / f"weights{suffix}", tmp_path / "summary.csv"
    save_file(net.state_dict(), path) if suffix == ".safetensors" else torch.save(net.state_dict(), path)
    assert main(["profile", str(path), "--output", str(output)]) == 0
    table, expected = pd.read_csv(output), profile(net).summary()
    assert table["name"].tolist() == ["0.weight", "3.weight"]
    assert table["n"].tolist() == [24, 1]
    for column in ("mean", "std", "q1", "median", "q3", "outliers_low", "outliers_high"):
        np.testing.assert_allclose(table[column], expected[column], rtol=1e-6)


def test_a_safetensors_file_has_its_layers_by_their_numbers(tmp_path, capsys):
    """Its own order is that of types and letters: 10 before 2, and double precision first."""
    net = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(11)))
    net[10].double()
    save_file(net.state_dict(), tmp_path / "weights.safetensors")
    assert main(["profile", str(tmp_path / "weights.safetensors"), "--output", str(tmp_path / "summary.csv")]) == 0
    assert pd.read_csv(tmp_path / "summary.csv")["name"].tolist() == [f"{number}.weight" for number in range(11)]
    assert "keeps no order of its tensors" in capsys.readouterr().out


def test_a_keras_file_with_dense_layers(tmp_path, capsys):
    rng = np.random.default_rng(0)
    layers = keras_arrays({"block_conv": (4, 3, 3, 3)}) | {"fc.1": (rng.normal(size=(7, 5)), rng.normal(size=5))}
    write_keras(tmp_path / "all.h5", layers)
    output = tmp_path / "summary.csv"
    assert main(["profile", str(tmp_path / "all.h5"), "--output", str(output)]) == 0
    table = pd.read_csv(output).set_index("name")
    assert table["mean"]["block_conv"] == pytest.approx(np.log(np.abs(layers["block_conv"][0][0, 0])).mean(), rel=1e-5)
    square = layers["fc.1"][0][:5]  # inputs x outputs: the leading inputs
    assert table["mean"]["fc.1"] == pytest.approx(np.linalg.slogdet(square)[1], rel=1e-5)
    assert (
        "all.h5 (tensors of four or five dimensions as convolutions, of two as dense layers)" in capsys.readouterr().out
    )


def test_half_precision_a_checkpoint_and_names_that_modules_cannot_have(tmp_path):
    weight = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    state = {"a": weight.bfloat16(), "a.weight": weight.half(), "forward": weight, "steps": torch.ones(2, 2).long()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "checkpoint.pt")
    assert main(["profile", str(tmp_path / "checkpoint.pt"), "--output", str(tmp_path / "summary.csv")]) == 0
    table = pd.read_csv(tmp_path / "summary.csv")
    assert table["name"].tolist() == ["a", "a.weight", "forward"]
    expected = np.linalg.slogdet(weight[:2].numpy())[1]
    assert table["mean"].tolist() == pytest.approx([expected] * 3, rel=0.05)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ({"bias": torch.ones(3), "count": torch.ones(2, 2).long()}, [], "holds no weights of a convolution"),
        ({"model": {"w": torch.ones(2, 2)}}, [], "holds no weights of a convolution"),
        ({1: 2}, [], "cannot be read as a state dict"),
        ({"w": torch.full((2, 2), torch.nan)}, [], "layer 'w' has 4 weights that are not finite"),
        ({"w": torch.ones(2, 2)}, ["--weights", "keras"], "--weights keras goes with a network's name"),
    ],
)
def test_files_without_a_profile(tmp_path, capsys, content, options, message):
    path = tmp_path / "file.pt"
    torch.save(content, path)
    assert main(["profile", str(path), *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.startswith("error: ") and said.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "nowhere.safetensors"]) == 2
    assert capsys.readouterr().err == "error: no file nowhere.safetensors\n"
