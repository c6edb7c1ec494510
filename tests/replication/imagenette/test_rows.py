"""What the names of Table 2's rows mean, against torchvision's networks, and their record."""

import pytest
import torch
from torchvision.models import resnet50, vgg16

from entropy_guidance import selection
from replication.core.errors import UserError
from replication.imagenette import rows
from replication.imagenette.rows import Chosen


def test_the_networks_have_the_convolutions_that_are_counted():
    with torch.device("meta"):
        found = {"vgg16": vgg16(), "resnet50": resnet50()}
    assert {name: len(selection.convolutions(model)) for name, model in found.items()} == rows.CONVOLUTIONS
    # as assumption classifier-layers says
    assert selection.by_order(found["resnet50"], [5]) == ["layer1.0.downsample.0"]


def test_pre_skip_layers_are_those_of_the_networks_graph():
    with torch.device("meta"):
        model = resnet50()
    pre_skip = selection.by_role(model, "pre-skip", torch.empty(1, 3, 64, 64))
    assert selection.by_order(model, rows.pre_skip()) == pre_skip


def test_names_say_numbers():
    assert rows.by_name("vgg16", "1+13") == Chosen(numbers=(1, 13), source="the paper")
    assert rows.by_name("resnet50", "pre-skip") == Chosen(numbers=rows.pre_skip(), source="the network's graph")
    assert rows.by_name("vgg16", "empirical") is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("first", "'first' is no row.* or pre-skip, or empirical"),
        ("1+14", r"'1\+14' is no row. Write numbers of convolutions, 1 to 13"),
        ("0", "'0' is no row"),
        ("1+-2", "is no row"),
        ("", "'' is no row"),
        ("pre-skip", "vgg16 has no skip connections"),
    ],
)
def test_other_names_mean_no_layers(row, message):
    with pytest.raises(ValueError, match=message):
        rows.by_name("vgg16", row)


def test_a_record_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "data" / "layers.json"
    assert rows.read_record(path, "resnet50") == {}
    written = {
        "1+5": Chosen(numbers=(1, 5), source="the paper"),
        "empirical": Chosen(numbers=None, source="not known", basis="0123"),
    }
    rows.write_record(path, written)
    assert rows.read_record(path, "resnet50") == written
    before = path.read_bytes()
    rows.write_record(path, rows.read_record(path, "resnet50"))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "half",
        "[]",
        '{"rows": {"empirical": {"numbers": [0], "source": ""}}}',
        '{"rows": {"empirical": {"numbers": [54], "source": ""}}}',
        '{"rows": {"empirical": {"source": ""}}}',
    ],
)
def test_a_damaged_record_is_one_clear_message(tmp_path, text):
    path = tmp_path / "layers.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"layers.json is damaged \(.*`python -m replication layers` makes it") as error:
        rows.read_record(path, "resnet50")
    assert "\n" not in str(error.value)
