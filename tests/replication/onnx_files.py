"""ONNX models as exporters write them, for the tests of profiles."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def bottleneck(path):
    """A model of a stem, one block of three convolutions, and a sum; images (N, H, W, C) as open-nsfw takes them."""
    rng, node = np.random.default_rng(0), helper.make_node
    sizes = {"stem": (4, 3, 3, 3), "a": (2, 4, 1, 1), "b": (2, 2, 3, 3), "c": (4, 2, 1, 1)}
    weights = {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    biases = {f"{name}_bias": rng.normal(size=weight.shape[0]).astype(np.float32) for name, weight in weights.items()}

    def convolution(name, reads, puts):
        pads = [1, 1, 1, 1] if weights[name].shape[2] == 3 else [0, 0, 0, 0]
        return node("Conv", [reads, name, f"{name}_bias"], [puts], name=name, pads=pads)

    nodes = [
        node("Transpose", ["x"], ["x_NCHW"], perm=[0, 3, 1, 2]),
        convolution("stem", "x_NCHW", "stem_out"),
        node("Relu", ["stem_out"], ["skipped"]),
        convolution("a", "skipped", "a_out"),
        node("Relu", ["a_out"], ["a_relu"]),
        convolution("b", "a_relu", "b_out"),
        node("Relu", ["b_out"], ["b_relu"]),
        convolution("c", "b_relu", "c_out"),
        node("Add", ["c_out", "skipped"], ["sum"]),
        node("Relu", ["sum"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "block",
        [value("x", TensorProto.FLOAT, None)],
        [value("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in (weights | biases).items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return onnx.load(path)
