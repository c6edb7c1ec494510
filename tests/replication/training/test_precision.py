"""Which numbers a run has, and which products: those of guidance are never rounded."""

import pytest
import torch

from replication.core.errors import UserError
from replication.core.run import Run
from replication.core.store import Store
from replication.core.sweep import sweep
from replication.training import precision, trainer

CPU, META = torch.device("cpu"), torch.device("meta")


@pytest.fixture(autouse=True)
def products_as_before():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def run(name):
    return Run("cnn-test", {"precision": name, "lambda": 0.1, "replicate": 0})


def test_tf32_is_a_run_of_its_own_with_the_draws_of_the_others():
    tf32, full = run("tf32"), run("float32")
    assert tf32.key != full.key and tf32.seed("weights") == full.seed("weights")
    assert precision.dtype_of(tf32) == torch.float32


@pytest.mark.parametrize("check", [lambda run: trainer.prepare(CPU, run), lambda run: precision.check([run], CPU)])
def test_a_cpu_has_no_tf32(check):
    with pytest.raises(UserError, match=r"cnn-test: precision tf32 is for GPUs.* no CPU has it\. Choose --device cuda"):
        check(run("tf32"))
    for name in ("float32", "float64", "bfloat16"):
        check(run(name))
    precision.check([run("tf32")], META)


def test_a_sweep_on_a_cpu_says_so_before_it_looks_for_data(tmp_path):
    with pytest.raises(UserError, match="precision tf32 is for GPUs"):
        sweep([run("tf32")], tmp_path / "table.jsonl", Store(tmp_path), trainer="", device=CPU)


@pytest.mark.parametrize("name", precision.DTYPES)
def test_products_are_rounded_where_the_run_says_so_and_never_in_guidance(name):
    torch.backends.cuda.matmul.allow_tf32 = name != "tf32"  # as another run has left it
    precision.choose_products(run(name))
    assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == (name == "tf32")
    with pytest.raises(ZeroDivisionError), precision.full_products():
        assert not torch.backends.cuda.matmul.allow_tf32
        raise ZeroDivisionError
    assert torch.backends.cuda.matmul.allow_tf32 == (name == "tf32")


def test_bfloat16_is_the_forward_pass_alone():
    layer, x = torch.nn.Linear(3, 3), torch.ones(1, 3)
    for name, dtype in (("bfloat16", torch.bfloat16), ("float32", torch.float32)):
        with precision.low_precision(run(name), CPU):
            assert layer(x).dtype == dtype
    with precision.low_precision(run("float32"), META):  # which has no autocast
        pass
