"""The profile of a U-Net that a family's unguided run has left."""

import pytest
from safetensors.torch import save_file
from unet_runs import made_up

from replication.coco_unet.training import task
from replication.core import paths
from replication.core.family import find
from replication.core.settings import load
from replication.core.store import Store
from replication.profiles import measure, record
from replication.profiles.zoo import glorot_uniform_


def test_the_unguided_run_is_profiled_when_its_weights_are_there(tmp_path, monkeypatch):
    parameters = load("demo", paths.PARAMS.absolute())
    monkeypatch.chdir(tmp_path)
    assert any("its profile is left out" in line for line in measure.write(parameters, "unet"))
    run = find(parameters, "unet-coco").grid[0]
    assert run["lambda"] == 0
    model = task.build(run)
    glorot_uniform_(model, seed=123)
    store = Store(paths.store())
    store.put(made_up(run))
    path = store.weights(run.key)
    path.parent.mkdir()
    save_file(model.state_dict(), path)
    measure.write(parameters, "unet")
    layers = record.frame(record.read_record(record.record_path("demo", "unet"))).set_index(["weights", "name"])
    corner = model.encoder[1].conv2.weight[:, :, 0, 0].abs().log().mean().item()
    assert layers.loc[("trained", "encoder.1.conv2"), "mean"] == pytest.approx(corner, rel=1e-5)
    assert layers.loc[("random", "encoder.1.conv2"), "mean"] != pytest.approx(corner, rel=1e-2)
    assert (
        "unguided run of unet-coco, 4-8-16-32-32 filters, 128 images, 3 epochs"
        in layers.loc[("trained", "output"), "source"]
    )
