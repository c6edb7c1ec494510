"""ONNX models made here: what their layers are, and what is said of them."""

import ml_dtypes
import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from entropy_guidance import profile
from replication.__main__ import main
from replication.core.errors import UserError
from replication.profiles import onnx_file, weights_file
from replication.profiles.file_layer import Weights

SIZES = {  # of the weights of the network below
    "stem": (4, 3, 3, 3),
    "branch": (4, 4, 1, 1),
    "grouped": (4, 2, 3, 3),
    "up": (4, 1, 2, 2),
    "volume": (2, 4, 1, 2, 3),
    "gemm": (5, 6),
    "matmul": (5, 3),
}


def arrays():
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=size).astype(np.float32) for name, size in SIZES.items()}


def write(path, nodes, constants):
    """A model of these nodes; inputs and outputs are of no interest here."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    onnx.save(helper.make_model(graph), path)
    return path


def network(path):
    """A stem with its norm, a block with a sum, transposed and grouped convolutions, three dimensions, matrices."""
    node, weights = helper.make_node, arrays()
    constant = numpy_helper.from_array(weights.pop("branch"), "value")
    extra = {"bias": np.ones(4, np.float32), **{key: np.ones(4, np.float32) for key in ("g", "b", "m", "v")}}
    nodes = [
        node("Conv", ["x", "stem", "bias"], ["stem_out"], name="Conv__7"),
        node("BatchNormalization", ["stem_out", "g", "b", "m", "v"], ["norm_out"]),
        node("Relu", ["norm_out"], ["relu_out"]),
        node("Constant", [], ["branch"], value=constant),
        node("Conv", ["relu_out", "branch"], ["branch_out"], name="branch/BiasAdd"),
        node("Identity", ["branch_out"], ["same"]),
        node("Add", ["same", "relu_out"], ["sum"]),
        node("Conv", ["sum", "grouped", "bias"], ["grouped_out"], group=2),
        node("Add", ["grouped_out", "bias"], ["biased"]),  # a bias, no sum of two signals
        node("ConvTranspose", ["biased", "up"], ["up_out"], name="up", group=4, strides=[2, 2]),
        node("Conv", ["up_out", "volume"], ["volume_out"], name="volume"),
        node("Gemm", ["volume_out", "gemm"], ["gemm_out"], name="gemm", transB=1),
        node("MatMul", ["gemm_out", "matmul"], ["y"], name="matmul"),
    ]
    return write(path, nodes, weights | extra)


def test_layers_are_those_of_the_graph_in_its_order(tmp_path):
    layers, weights = onnx_file.read(network(tmp_path / "net.onnx")), arrays()
    assert list(layers) == ["Conv__7", "branch/BiasAdd", "grouped", "up", "volume", "gemm", "matmul"]
    for name, layer in zip(weights, layers.values(), strict=True):
        np.testing.assert_array_equal(layer.weight, weights[name].T if name == "matmul" else weights[name])
    assert [name for name, layer in layers.items() if layer.into_sum] == ["branch/BiasAdd"]
    assert [name for name, layer in layers.items() if layer.transposed] == ["up"]
    assert layers["grouped"].groups == 2 and layers["up"].groups == 4
    np.testing.assert_array_equal(layers["Conv__7"].bias, np.ones(4))


def test_a_profile_is_that_of_the_modules(tmp_path):
    path, output = network(tmp_path / "net.onnx"), tmp_path / "summary.csv"
    weights = {name: torch.from_numpy(array) for name, array in arrays().items()}
    modules = nn.ModuleList(
        [
            nn.Conv2d(3, 4, 3),
            nn.Conv2d(4, 4, 1),
            nn.Conv2d(4, 4, 3, groups=2),
            nn.ConvTranspose2d(4, 4, 2, groups=4),
            nn.Conv3d(4, 2, (1, 2, 3)),
            nn.Linear(6, 5),
            nn.Linear(5, 3),
        ]
    )
    for module, (name, weight) in zip(modules, weights.items(), strict=True):
        module.weight.data = weight.T if name == "matmul" else weight
    for relative in (False, True):
        assert main(["profile", str(path), "--output", str(output), *(["--relative"] if relative else [])]) == 0
        expected = profile(modules, relative=relative).summary()
        np.testing.assert_allclose(pd.read_csv(output)["mean"], expected["mean"], rtol=1e-6)


def test_a_norm_may_have_been_folded(tmp_path, capsys):
    """Only the grouped convolution has a bias and no norm behind it."""
    assert main(["profile", str(network(tmp_path / "net.onnx"))]) == 0
    said = capsys.readouterr().out
    assert "note: no batch norm follows 1 of 4 convolutions, which have a bias: an exporter may have folded one" in said
    assert "net.onnx (layers as its graph has them)" in said
    assert "convolutions: mean of the 5 layers' means" in said
    torch.save(nn.Conv2d(2, 2, 3).state_dict(), tmp_path / "net.pt")
    assert main(["profile", str(tmp_path / "net.pt")]) == 0
    assert "note:" not in capsys.readouterr().out


def test_bfloat16_is_cast_before_any_mean(tmp_path):
    """numpy's mean of many bfloat16 numbers is wrong without a word: a running sum that stops growing."""
    weight = np.full((128, 64, 1, 1), 0.3, ml_dtypes.bfloat16)
    path = write(tmp_path / "half.onnx", [helper.make_node("Conv", ["x", "w"], ["y"])], {"w": weight})
    layers = onnx_file.read(path)
    assert layers["w"].weight.dtype == torch.float32
    (mean,) = profile(Weights(layers)).summary()["mean"]
    assert mean == pytest.approx(np.log(float(weight[0, 0, 0, 0])), rel=1e-6)


def test_weights_that_are_computed_or_packed_are_left_out_with_a_note(tmp_path):
    nodes = [
        helper.make_node("Cast", ["raw"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "w"], ["first"]),
        helper.make_node("Conv", ["first", "known"], ["second"], name="known"),
        helper.make_node("Conv", ["second", "packed"], ["y"], name="packed"),
    ]
    constants = {"raw": np.ones((2, 3, 1, 1)), "known": np.ones((2, 2, 1, 1), np.float32)}
    path = write(tmp_path / "net.onnx", nodes, constants | {"packed": np.ones((2, 2, 1, 1), np.int8)})
    assert list(onnx_file.read(path)) == ["known"]
    (note,) = onnx_file.notes(path)
    assert note.startswith("2 convolutions are left out")


def test_names_that_come_twice(tmp_path):
    nodes = [helper.make_node("Conv", [a, "w"], [b], name="same") for a, b in (("x", "middle"), ("middle", "y"))]
    path = write(tmp_path / "net.onnx", nodes, {"w": np.ones((2, 2, 1, 1), np.float32)})
    assert list(onnx_file.read(path)) == ["same", "same (2)"]


def test_files_that_are_no_models(tmp_path):
    (tmp_path / "noise.onnx").write_bytes(b"noise")
    with pytest.raises(UserError, match=r"noise\.onnx cannot be read as an ONNX model"):
        weights_file.layers(tmp_path / "noise.onnx")
    path = write(tmp_path / "empty.onnx", [helper.make_node("Relu", ["x"], ["y"])], {})
    with pytest.raises(UserError, match=r"empty\.onnx holds no weights of a convolution"):
        weights_file.layers(path)
