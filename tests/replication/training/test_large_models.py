"""The loop for large models against a plain one, after a kill, and its metrics against numpy."""

import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from no_gpu import META, device, large_model_on_fake_cuda
from safetensors.torch import load_file
from torch import nn

from replication import coco_unet
from replication.coco_unet.training import masks, task
from replication.coco_unet.training.model import UNet
from replication.coco_unet.training.train import COMPILED, TRAINER
from replication.core import paths
from replication.core.errors import UserError
from replication.core.run import Run
from replication.core.store import Store
from replication.data.mapped import MappedSet
from replication.profiles.zoo import glorot_uniform_
from replication.training import checkpoints, large_models, passes, trainer
from replication.training.stopping import stopping_epoch

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("own_store")


@pytest.fixture(autouse=True)
def after_each_epoch(monkeypatch):
    """A checkpoint is written whatever part of so short a training that takes."""
    monkeypatch.setattr(checkpoints, "SHARE", math.inf)


@pytest.fixture
def data():
    """11 + 6 images of noise, brighter where the mask is; 11 is no multiple of the batch size below."""
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        masks = torch.randint(0, 2, (count, 4, 4), generator=generator, dtype=torch.uint8)
        masks = masks.repeat_interleave(4, 1).repeat_interleave(4, 2)
        noise = torch.randint(0, 128, (count, 16, 16, 3), generator=generator, dtype=torch.uint8)
        return noise + 100 * masks[..., None], masks

    about = {split: {"ids": list(range(n)), "content": "0" * 64} for split, n in (("train", 11), ("validation", 6))}
    return MappedSet(*draw(11), *draw(6), about=about | {"shown": [1, 4]})


def make_run(lambda_=0.0, **changes):
    settings = {
        "dataset": "small",
        "network": "unet",
        "widths": "2-3-4",
        "dropout": 0.2,
        "lambda": lambda_,
        "replicate": 0,
        "placement": "3-7",
        "form": "reciprocal",
        "epsilon": 1e-3,
        "reduction": "sum",
        "monitor": "total",
        "precision": "float64",
        "learning_rate": 0.01,
        "batch_size": 4,
        "patience": 3,
        "min_delta": 0.0,
        "max_epochs": 5,
    }
    return Run("unet-test", settings | changes)


def bigger(data):
    """Of twice the side: the other U-Net halves images five times."""
    return MappedSet(
        data.train_images.repeat(1, 2, 2, 1),
        data.train_targets.repeat(1, 2, 2),
        data.validation_images.repeat(1, 2, 2, 1),
        data.validation_targets.repeat(1, 2, 2),
        about=data.about,
    )


def finish(run, data, device=CPU):
    *_, last = TRAINER.train([run], data, device)
    [record] = last.finished
    return record


def plain_training(run, data):
    """The ordinary way: a loop, torch's Adam, the penalty written out. Histories of losses and penalty."""
    model = UNet([2, 3, 4], run["dropout"])
    glorot_uniform_(model, run.seed("weights"))
    model.to(torch.float64, memory_format=torch.channels_last)  # in whose order dropout draws
    optimizer = torch.optim.Adam(model.parameters(), lr=run["learning_rate"], eps=1e-7)

    def penalty():
        kernels = [model.encoder[0].conv2.weight, model.encoder[1].conv2.weight]
        if run["reduction"] == "mean":
            return sum((run["lambda"] / (k[:, :, 0, 0].abs() + run["epsilon"])).mean() for k in kernels)
        if run["form"] == "log":
            return -sum(run["lambda"] * k[:, :, 0, 0].abs().log().sum() for k in kernels)
        return sum((run["lambda"] / (k[:, :, 0, 0].abs() + run["epsilon"])).sum() for k in kernels)

    def prepare(images, masks):
        return images.double().permute(0, 3, 1, 2) / 255, masks.double()[:, None]

    x, y = prepare(data.train_images, data.train_targets)
    v, w = prepare(data.validation_images, data.validation_targets)
    train, validation, penalties = [], [], []
    for epoch in range(1, run["max_epochs"] + 1):
        model.train()
        torch.manual_seed(run.seed("dropout") + epoch)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(run.seed("order") + epoch))
        total = 0.0
        for start in range(0, len(x), run["batch_size"]):
            rows = order[start : start + run["batch_size"]]
            optimizer.zero_grad()
            base = ((model(x[rows]) - y[rows]) ** 2).mean()
            (base + penalty()).backward()
            optimizer.step()
            total += base.item() * len(rows)
        model.eval()
        with torch.no_grad():
            train.append(total / len(x))
            validation.append(((model(v) - w) ** 2).mean().item())
            penalties.append(float(penalty()))
        monitored = [a + b if run["monitor"] == "total" else a for a, b in zip(validation, penalties, strict=True)]
        if stopping_epoch(monitored, run["patience"], run["min_delta"]):
            break
    return {"train_loss": train, "validation_loss": validation, "penalty": penalties}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lambda_": 1e-3},
        {"lambda_": 1e-3, "reduction": "mean"},
        {"lambda_": 1e-4, "form": "log"},
        {"lambda_": 1e-2, "monitor": "base", "min_delta": 0.5, "patience": 2},
    ],
)
def test_equals_the_plain_loop_to_1e_10(data, changes, monkeypatch):
    monkeypatch.setattr(large_models, "make_record", lambda run, _, history, *__: {"key": run.key, **history})
    run = make_run(**changes)
    record, plain = finish(run, data), plain_training(run, data)
    for name, values in plain.items():
        assert record[name] == pytest.approx(values, rel=1e-10), name
    if "patience" in changes:
        assert len(record["train_loss"]) == 3  # the first epoch improves on infinity, two more do not


def test_a_continued_training_is_the_same_training(data):
    run = make_run(1e-3)
    whole = finish(run, data)
    Store(paths.store()).delete(run.key)
    epochs = TRAINER.train([run], data, CPU)
    next(epochs)
    next(epochs)
    epochs.close()
    assert Store(paths.store()).checkpoint(run.key).exists()
    continued = TRAINER.train([run], data, CPU)
    assert next(continued).number == 3
    *_, last = continued
    timed = ("train_seconds", "seconds")
    assert {name: values for name, values in last.finished[0]["history"].items() if name not in timed} == {
        name: values for name, values in whole["history"].items() if name not in timed
    }
    Store(paths.store()).put(last.finished[0])
    assert not Store(paths.store()).checkpoint(run.key).exists()


class Killed(Exception):
    pass


@pytest.mark.parametrize("batch", [1, 2, 4])  # of the three in an epoch; the fourth is in the second one
def test_a_training_goes_on_within_an_epoch(data, batch, monkeypatch):
    """With the batches, the dropout and the seconds of the epoch that was cut short."""
    run = make_run(1e-3, max_epochs=3)
    whole = finish(run, data)
    Store(paths.store()).delete(run.key)
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)
    step, done = large_models._Training._step, []

    def dying(*args):
        if len(done) == batch:
            raise Killed
        done.append(args)
        return step(*args)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(large_models._Training, "_step", dying)
        finish(run, data)
    state = torch.load(Store(paths.store()).checkpoint(run.key), weights_only=True)
    assert (
        state["within"]["batches"] == (batch - 1) % 3 + 1 and len(state["history"].get("monitored", [])) == batch // 3
    )
    counted = []
    monkeypatch.setattr(large_models._Training, "_step", lambda *args: counted.append(args) or step(*args))
    continued = finish(run, data)
    assert len(counted) == 9 - batch
    for name, values in whole["history"].items():
        if name not in ("train_seconds", "seconds"):
            assert continued["history"][name] == values, name
    assert continued["history"]["train_seconds"][batch // 3] > state["within"]["seconds"]


def test_checkpoints_take_a_small_part_of_a_training(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoints, "SHARE", 0.05)
    clock = checkpoints.Clock()
    assert clock.due(within_epoch=False) and not clock.due(within_epoch=True)  # nobody knows yet what one takes
    now[0] = 180.0
    assert clock.due(within_epoch=True)
    with clock.saving():
        now[0] += 2
    now[0] += 39
    assert not clock.due(within_epoch=False)
    now[0] += 1
    assert clock.due(within_epoch=False) and not clock.due(within_epoch=True)
    now[0] += 140
    assert clock.due(within_epoch=True)
    with clock.saving():
        now[0] += 20  # a slow disk
    now[0] += 399
    assert not clock.due(within_epoch=True)
    now[0] += 1
    assert clock.due(within_epoch=True)


KILLED = """
import os, signal, sys
from replication.core import executors
from replication.training import checkpoints
from replication.__main__ import main

def die_after_two_epochs(execute):
    def epochs(*arguments):
        for epoch in execute(*arguments):
            if epoch.number == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            yield epoch
    return epochs

if __name__ == "__main__":
    checkpoints.SHARE = 1e9  # after each epoch
    for name in ("in_process", "local_workers"):
        setattr(executors, name, die_after_two_epochs(getattr(executors, name)))
    sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_sweep_goes_on_from_the_last_epoch(tmp_path):
    """SIGKILL in the middle of a run of the demo's family, then the same command."""
    root = Path(__file__).parents[3]
    text = (root / "params.yaml").read_text()
    head, tail = text.split("    unet-coco:\n", 1)
    tail = re.sub(r"max_epochs: \d+", "max_epochs: 4", tail, count=1)
    (tmp_path / "params.yaml").write_text(f"{head}    unet-coco:\n{tail}")
    options = ["--only", "lambda=0", "--device", "cpu"]
    command = [sys.executable, "-m", "replication", "sweep", "--scale", "demo", "--family", "unet-coco", *options]
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}
    (tmp_path / "killed.py").write_text(KILLED)
    killed = [sys.executable, "killed.py", *command[3:]]
    done = subprocess.run(killed, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    [checkpoint] = tmp_path.glob(".runs/checkpoints/*.pt")
    before = torch.load(checkpoint, weights_only=True)["history"]["validation_loss"]
    assert 2 <= len(before) < 4 and not list(tmp_path.glob(".runs/*.json"))

    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    store = Store(tmp_path / ".runs")
    [key] = store.keys()
    after = store[key]["history"]["validation_loss"]
    assert len(after) == 4 and after[: len(before)] == pytest.approx(before, rel=1e-8)
    assert not checkpoint.exists()


def test_a_damaged_checkpoint_is_set_aside_and_the_run_starts_anew(data, capsys):
    run = make_run()
    whole = finish(run, data)["history"]["validation_loss"]
    path = Store(paths.store()).checkpoint(run.key)
    for number in range(2):
        path.write_bytes(b"half")
        assert finish(run, data)["history"]["validation_loss"] == whole
        aside = path.with_name(path.name + (".refused", ".refused2")[number])
        assert aside.read_bytes() == b"half"
        said = capsys.readouterr().err
        assert f"{path} is damaged" in said and f"It is kept as {aside}, and the run starts anew" in said


@pytest.mark.parametrize("part", ["model", "optimizer", "history", "another run", "torn"])
def test_a_checkpoint_is_what_it_says(data, part, capsys):
    """One number changed anywhere, another run's, or cut short."""
    run = make_run()
    next(TRAINER.train([run], data, CPU))
    path = Store(paths.store()).checkpoint(run.key)
    state = torch.load(path, weights_only=True)
    if part == "model":
        next(iter(state["model"].values()))[0] += 1
    elif part == "optimizer":
        state["optimizer"]["param_groups"][0]["lr"] *= 2
    elif part == "history":
        state["history"]["monitored"][0] += 1e-9
    elif part == "another run":
        checkpoints.save(path, make_run(replicate=1), {k: v for k, v in state.items() if k not in ("key", "digest")})
        state = torch.load(path, weights_only=True)
    torch.save(state, path)
    if part == "torn":
        path.write_bytes(path.read_bytes()[:-200])
    assert next(TRAINER.train([run], data, CPU)).number == 1
    assert "is damaged" in capsys.readouterr().err


def test_a_checkpoint_of_before_there_were_digests_is_gone_on_from(data):
    run = make_run()
    next(TRAINER.train([run], data, CPU))
    path = Store(paths.store()).checkpoint(run.key)
    state = torch.load(path, weights_only=True)
    torch.save({name: state[name] for name in ("model", "optimizer", "history")}, path)
    assert next(TRAINER.train([run], data, CPU)).number == 2


def test_a_checkpoint_for_which_there_is_no_memory_is_kept(data, monkeypatch):
    """It is read into the host's memory: a full GPU does not touch it."""
    run = make_run()
    next(TRAINER.train([run], data, CPU))
    path = Store(paths.store()).checkpoint(run.key)
    asked = {}

    def full(_, **options):
        asked.update(options)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4503 bytes.")

    monkeypatch.setattr(torch, "load", full)
    with pytest.raises(UserError, match=rf"cannot read .*{path.name}.*keep it\. Free some memory"):
        next(TRAINER.train([run], data, CPU))
    assert asked["map_location"] == "cpu" and path.exists()


def test_paired_runs_share_weights_order_and_dropout(data):
    """A penalty that moves nothing leaves the trajectory of the unguided run."""
    free = finish(make_run(monitor="base", form="none"), data)["history"]
    guided = finish(make_run(1e-300, monitor="base", placement="2-3", reduction="mean"), data)["history"]
    assert guided["validation_loss"] == free["validation_loss"] and guided["train_loss"] == free["train_loss"]
    assert finish(make_run(replicate=1), data)["history"]["train_loss"] != free["train_loss"]


def test_the_record_tells_every_image(data):
    """Counts and metrics from the saved weights, with numpy alone."""
    run = make_run()
    record = finish(run, data)
    assert record["metrics"].keys() == set(coco_unet.METRICS) and record["history"].keys() == set(coco_unet.HISTORIES)
    model = UNet([2, 3, 4], run["dropout"]).double().eval()
    model.load_state_dict({name: t.double() for name, t in load_file(Store(paths.store()).weights(run.key)).items()})
    with torch.no_grad():
        output = model(data.validation_images.double().permute(0, 3, 1, 2) / 255)[:, 0].numpy()
    predicted, true = output >= 0.5, data.validation_targets.numpy().astype(bool)
    pairs = {"tp": (predicted & true), "fp": predicted & ~true, "fn": ~predicted & true, "tn": ~predicted & ~true}
    expected = {name: pixels.sum(axis=(1, 2)).tolist() for name, pixels in pairs.items()}
    assert record["per_image"] == expected
    metrics = record["metrics"]
    assert metrics["accuracy"] == pytest.approx((predicted == true).mean())
    union = (predicted | true).sum(axis=(1, 2))
    assert metrics["iou"] == pytest.approx((predicted & true).sum() / union.sum())
    assert metrics["image_iou"] == pytest.approx(np.mean((predicted & true).sum(axis=(1, 2)) / union))
    assert metrics["validation_loss"] == pytest.approx(((output - true) ** 2).mean())
    assert metrics["stopping_epoch"] == len(record["history"]["iou"]) == 5 and metrics["stopped_early"] == 0
    for shown, row in zip(record["shown"], (1, 4), strict=True):
        assert shown["id"] == row
        assert np.array_equal(masks.decode_mask(shown["prediction"], 16, 16), predicted[row])
        assert np.array_equal(masks.decode_mask(shown["truth"], 16, 16), true[row])
        picture, original = masks.decode_image(shown["image"]), data.validation_images[row].numpy()
        assert picture.shape == (16, 16, 3)
        assert abs(picture.mean() - original.mean()) < 5  # of noise, JPEG keeps little but the mean


def test_an_image_without_objects_counts_as_right_when_nothing_is_found():
    counts = torch.tensor([[0, 0, 0, 9], [1, 1, 1, 6]])
    assert task.metrics(counts)["image_iou"] == pytest.approx((1 + 1 / 3) / 2)
    assert task.metrics(counts)["iou"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("form", ["reciprocal", "log"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_corner_weights_gathered_at_once_are_penalised_alike(form, reduction):
    """As a GPU does it, and as the committed runs were trained; values and gradients."""
    run = make_run(1e-3, form=form, reduction=reduction)
    model = task.build(run).double()
    names = task.guided_layers(model, run)
    found = []
    for guidance in (large_models.layer_by_layer, large_models.at_once):
        model.zero_grad()
        value = guidance(model, names, run)()
        value.backward()
        found.append([value.detach(), *(model.get_submodule(name).weight.grad.clone() for name in names)])
    torch.testing.assert_close(*found, rtol=1e-12, atol=0)


def test_guided_runs_keep_no_weights_and_no_images(data):
    run = make_run(1e-3)
    record = finish(run, data)
    assert not Store(paths.store()).weights(run.key).exists()
    assert set(record["shown"][0]) == {"id", "prediction"}


def test_bfloat16_stays_near_float32(data):
    """Rounding of 2^-9 a product; five epochs."""
    low, full = (finish(make_run(precision=p), data)["metrics"]["validation_loss"] for p in ("bfloat16", "float32"))
    assert low != full and low == pytest.approx(full, rel=0.1)


@pytest.mark.parametrize("network", ["unet", "smp-unet"])
def test_probabilities_keep_their_slope_in_bfloat16(network):
    """A sigmoid of 7, rounded to bfloat16, is 1, with a slope of 0."""
    model = task.build(make_run(network=network))
    last = [module for module in model.modules() if isinstance(module, nn.Conv2d)][-1]
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, 7.0)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(torch.rand(2, 3, 32, 32))
    output.sum().backward()
    assert output.dtype == torch.float32 and (output < 1).all() and last.bias.grad > 0


@pytest.mark.parametrize(
    ("placement", "message"),
    [("4", "4 is no convolution but pool"), ("first", "neither skip-feeding nor numbers of layers")],
)
def test_a_wrong_placement_is_a_users_mistake(data, placement, message):
    with pytest.raises(UserError, match=f"placement {placement}: .*{message}"):
        next(TRAINER.train([make_run(0.1, placement=placement)], data, CPU))


def test_the_other_unet_learns_and_is_guided_by_role(data):
    run = make_run(1e-6, network="smp-unet", placement="skip-feeding", precision="float32", max_epochs=1)
    record = finish(run, bigger(data))
    assert np.isfinite(record["metrics"]["validation_loss"]) and record["metrics"]["penalty"] > 0
    with pytest.raises(UserError, match="are those of its own U-Net; choose skip-feeding"):
        next(TRAINER.train([make_run(0.1, network="smp-unet")], bigger(data), CPU))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_gpu_agrees_with_cpu(data):
    """float64 on both; then bf16 runs at all, with the data on the device."""
    run = make_run(1e-3, dropout=0.0)  # the devices draw different dropout
    gpu = finish(run, data, torch.device("cuda"))["history"]["validation_loss"]
    Store(paths.store()).delete(run.key)  # and with it the checkpoint, or the CPU would go on from there
    assert gpu == pytest.approx(finish(run, data)["history"]["validation_loss"], rel=1e-6)
    low = finish(make_run(1e-3, precision="bfloat16"), data, torch.device("cuda"))
    assert np.isfinite(low["metrics"]["validation_loss"])


def test_a_continued_training_stops_where_a_whole_one_does(data):
    run = make_run(min_delta=9.0, patience=3, max_epochs=9)  # the first epoch improves on infinity, no other does
    epochs = TRAINER.train([run], data, CPU)
    next(epochs)
    next(epochs)
    epochs.close()
    *_, last = TRAINER.train([run], data, CPU)
    assert last.number == 4 and last.finished[0]["metrics"]["stopped_early"] == 1


def test_the_watched_total_rounds_as_the_training_does():
    row, run = {"validation_loss": 0.05, "penalty": 1e8}, make_run(0.1)
    assert task.watched(row, run, torch.float32) == 1e8
    assert task.watched(row, run, torch.float64) == 1e8 + 0.05


def test_the_best_epoch_counts_from_1():
    found = task.best({"validation_loss": [0.3, 0.1, 0.2, 0.1]})
    assert found == {"best_epoch": 2, "best_validation_loss": 0.1}
    assert task.best({"validation_loss": [float("nan"), 0.3, 0.1]})["best_epoch"] == 3


@pytest.mark.parametrize(
    ("network", "precision", "free"), [("unet", "float32", 0), ("unet", "float64", 1 << 40), ("smp-unet", "float64", 0)]
)
def test_a_unet_trains_without_waiting_for_its_device(network, precision, free, data, monkeypatch):
    """Whole epochs on tensors without values; with no memory free the data stay on the host."""
    run = make_run(1e-3, network=network, placement="skip-feeding", precision=precision, max_epochs=2)
    monkeypatch.setattr(large_models._Training, "_save_checkpoint", lambda *_: None)
    monkeypatch.setattr(large_models, "free_memory", lambda _: free)
    with device(monkeypatch, (large_models._Training, "_step")) as watched:
        training = large_models._Training(run, bigger(data), META, task)
        assert [training.epoch().number for _ in range(2)] == [1, 2]
    assert watched.steps == 2 * 3 and watched.copies <= 2  # 11 images in batches of 4; the guidance's constants


@pytest.mark.parametrize("network", ["unet", "smp-unet"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_unet_on_fake_cuda_tensors(network, precision, data, monkeypatch):
    """Forward pass, optimiser and validation; types as on a GPU, whose driver the backward pass needs."""
    run = make_run(1e-3, network=network, placement="skip-feeding", precision=precision)
    large_model_on_fake_cuda(monkeypatch, task, run, bigger(data))


def test_a_compiled_network_trains_alike(data, monkeypatch):
    """By torch's compiler without its code generator, which takes minutes; it was compared by hand."""
    monkeypatch.setattr(passes, "BACKEND", "aot_eager")
    run = make_run(1e-3)
    plain = finish(run, data)
    Store(paths.store()).delete(run.key)
    *_, last = COMPILED.train([run], data, CPU)
    record = last.finished[0]
    for name in ("train_loss", "validation_loss", "penalty", "accuracy"):
        assert record["history"][name] == pytest.approx(plain["history"][name], rel=1e-10)
    assert record["environment"]["engine"] == "torch.compile" and "engine" not in plain["environment"]


def test_who_may_compile():
    place, small = "replication.coco_unet.training.train:TRAINER", "replication.small_cnn.training.train"
    assert trainer.compiled(place, META) == "replication.coco_unet.training.train:COMPILED"
    assert trainer.find(trainer.compiled(place, META)).compiled
    with pytest.raises(UserError, match="is for a GPU: on a CPU it makes steps slower"):
        trainer.compiled(place, CPU)
    with pytest.raises(UserError, match="is for the large networks"):
        trainer.compiled(small, META)
