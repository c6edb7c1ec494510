"""The paper's layer numbers, against the order in which a forward pass calls the layers and against the graph."""

import contextlib

import pytest
import torch

from entropy_guidance import selection
from replication.coco_unet.layer_numbers import keras_layers, layers_by_number, numbers_of
from replication.coco_unet.training.model import UNet

LEVELS = 4
PLACEMENTS = ([2], [2, 3], [3, 7, 11, 15], [3, 7, 11, 15, 19, 24, 29, 34, 39])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return UNet((2, 3, 4, 5, 6))


def test_the_count_is_the_order_of_the_forward_pass(model):
    called = []
    for name, module in model.named_modules():
        if not list(module.children()) and name != "sigmoid":  # in Keras a part of the last convolution
            module.register_forward_hook(lambda *_, name=name: called.append(name))
    output = model(torch.rand(2, 3, 32, 32))
    assert output.shape == (2, 1, 32, 32) and output.min() >= 0 and output.max() <= 1
    counted = keras_layers(LEVELS)
    assert [name for name in counted if not name.startswith("(")] == called
    assert counted[0] == "(input)" and counted.index("(concatenation)") == 21  # after the first up-convolution, 20


def test_the_papers_numbers(model):
    """The correspondence, printed: `pytest -s tests/replication/coco_unet/test_layer_numbers.py`."""
    print("\nnumber  layer")
    for number, name in enumerate(keras_layers(LEVELS)):
        mark = "  guided by the paper" if any(number in numbers for numbers in PLACEMENTS) else ""
        print(f"{number:6}  {name}{mark}")
    *_, feeding, every = (layers_by_number(LEVELS, numbers) for numbers in PLACEMENTS)
    # found in the graph: layers whose output also enters a concatenation
    assert feeding == selection.by_role(model, "skip-feeding", torch.empty(1, 3, 32, 32))
    # nine blocks, the second convolution of each
    assert every == [name for name in selection.convolutions(model) if name.endswith("conv2")]
    assert layers_by_number(LEVELS, [2]) == selection.by_role(model, "first", torch.empty(1, 3, 32, 32))
    assert layers_by_number(LEVELS, [2, 3]) == ["encoder.0.conv1", "encoder.0.conv2"]


@pytest.mark.parametrize(
    ("number", "what"), [(0, "input"), (4, "pool"), (20, "up.0"), (41, "nothing"), (-1, "nothing")]
)
def test_numbers_of_other_layers_are_refused(number, what):
    with pytest.raises(ValueError, match=rf"layer number {number} is no convolution but \(?{what}"):
        layers_by_number(LEVELS, [3, number])


@pytest.mark.parametrize("levels", [1, 3])
def test_every_convolution_has_a_number_at_any_depth(levels):
    with torch.device("meta"):
        convolutions = set(selection.convolutions(UNet(range(2, 3 + levels))))
    found = set()
    for number in range(len(keras_layers(levels))):
        with contextlib.suppress(ValueError):
            found.update(layers_by_number(levels, [number]))
    assert found == convolutions


def test_a_placement_is_a_list_of_numbers():
    assert numbers_of("3-7-11") == [3, 7, 11]
    for placement in ("first", "", "3-", "3--7", "3.5"):
        with pytest.raises(ValueError, match="neither skip-feeding nor numbers of layers such as 3-7-11-15"):
            numbers_of(placement)


def test_ronnebergers_size():
    """Weights and biases of every layer of Ronneberger's Figure 1, with three input channels and one output map."""
    down = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    bottom = [(512, 1024), (1024, 1024)]
    up = [(1024, 512), (512, 512), (512, 256), (256, 256), (256, 128), (128, 128), (128, 64), (64, 64)]
    raised = [(1024, 512), (512, 256), (256, 128), (128, 64)]
    expected = sum(9 * i * o + o for i, o in down + bottom + up) + sum(4 * i * o + o for i, o in raised) + 64 + 1
    with torch.device("meta"):
        model = UNet()
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    assert len(keras_layers(LEVELS)) == 41
