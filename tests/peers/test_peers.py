"""The library beside packages that it does not need: `make test-peers`; elsewhere these tests skip themselves."""

import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from entropy_guidance import EntropyGuidance, dense_entropy_change, profile, selection

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.filterwarnings("ignore")  # of other packages


def package(name):
    return pytest.importorskip(name, reason=f"{name} is not installed: make test-peers")


def test_transformers_conv1d_and_gpt2():
    transformers = package("transformers")
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=8, vocab_size=20, n_positions=16)
    model = transformers.GPT2Model(config)
    layer = model.h[0].mlp.c_fc  # 8 -> 32, stored (8, 32)
    guidance = EntropyGuidance(model, {"h.0.mlp.c_fc": -1.0})
    torch.testing.assert_close(guidance(), dense_entropy_change(layer.weight.T))
    found = profile(model)
    assert "h.1.attn.c_attn" in found.summary()["name"].tolist()
    assert set(found.skipped_layers()["name"]) == {"wte", "wpe"}
    ids = torch.zeros(1, 5, dtype=torch.long)
    roles = selection.by_role(model, "pre-skip", {"input_ids": ids, "use_cache": False})
    assert roles == ["h.0.attn.c_proj", "h.0.mlp.c_proj", "h.1.attn.c_proj"]


def test_fused_experts_of_transformers():
    transformers = package("transformers")
    config = transformers.MixtralConfig(
        vocab_size=20, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_local_experts=3,
    )  # fmt: skip
    table = profile(transformers.MixtralModel(config)).summary()
    experts = table[table["name"].str.endswith("experts")]
    assert experts["part"].tolist() == ["gate_up_proj", "down_proj"] and experts["n"].tolist() == [3, 3]


@pytest.mark.parametrize("merged", [False, True])
def test_lora(merged):
    peft = package("peft")
    torch.manual_seed(0)
    model = nn.Sequential()
    model.fc1 = nn.Linear(8, 8)
    guidance = EntropyGuidance(model, {"fc1": -1.0})
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["fc1"], r=2, init_lora_weights=False))
    x = torch.eye(8)
    expected = dense_entropy_change((adapted(x) - adapted(torch.zeros(8))).T)
    if merged:
        model.fc1.merge()
    else:
        guidance().backward()
        assert model.fc1.lora_A["default"].weight.grad.any()
    torch.testing.assert_close(guidance(), expected, rtol=1e-3, atol=1e-4)
    assert profile(model).summary()["name"].tolist() == ["fc1"]


def test_torchao():
    quantization = package("torchao.quantization")
    model = nn.Sequential(nn.Linear(64, 64))
    quantization.quantize_(model, quantization.Int8WeightOnlyConfig())
    assert "whose numbers only that package can read" in profile(model).skipped_layers()["skipped"][0]
    with pytest.raises(ValueError, match=r"layer '0' .*Linear.: its weight is a torchao"):
        EntropyGuidance(model, {"0": 1.0})


def test_the_lightning_callback():
    lightning = package("lightning")
    guide = runpy.run_path(str(EXAMPLES / "lightning_callback.py"))["Guide"]

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def training_step(self, batch, _):
            return 0 * self.layer(batch).sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    module = Module()
    before = module.layer.weight.detach().clone()
    trainer = lightning.Trainer(
        max_epochs=1, callbacks=[guide({"layer": 0.5})], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(torch.zeros(1, 3)))
    torch.testing.assert_close(module.layer.weight, before + 0.1 * 0.5 * torch.linalg.inv(before).T)
    assert "guidance/layer" in trainer.callback_metrics


def test_the_trainer_callback(tmp_path):
    transformers = package("transformers")
    package("accelerate")
    guide = runpy.run_path(str(EXAMPLES / "trainer_callback.py"))["Guide"]({"layer": 0.5})

    class Net(nn.Module):
        device = torch.device("cpu")

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x, labels=None):  # noqa: ARG002
            return {"loss": 0 * self.layer(x).sum()}

    net = Net()
    before = net.layer.weight.detach().clone()
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=1, learning_rate=0.1, optim="sgd", lr_scheduler_type="constant",
        report_to=[], save_strategy="no", use_cpu=True, max_grad_norm=0.0, disable_tqdm=True,
    )  # fmt: skip
    data = [{"x": torch.zeros(3), "labels": 0}]
    transformers.Trainer(model=net, args=arguments, train_dataset=data, callbacks=[guide]).train()
    torch.testing.assert_close(net.layer.weight, before + 0.1 * 0.5 * torch.linalg.inv(before).T)
    assert list(guide.log[0]) == ["layer"]
