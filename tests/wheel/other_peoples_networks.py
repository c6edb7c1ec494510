"""The library on networks of timm and transformers with random weights; run as a script."""

import math

import timm
import torch
import transformers

from entropy_guidance import EntropyGuidance, profile, selection


def guided_step(model, names, loss):
    guidance = EntropyGuidance(model, dict.fromkeys(names, 1e-4))
    assert guidance.check() == [], [str(finding) for finding in guidance.check()]
    (loss() + guidance()).backward()
    assert all(math.isfinite(value) for value in guidance.log().values())
    assert all(model.get_submodule(name).weight.grad.any() for name in names)


def main():
    torch.manual_seed(0)
    model, x = timm.create_model("convnext_atto", num_classes=4), torch.randn(2, 3, 64, 64)
    names = selection.by_role(model, "pre-skip", x)
    assert "stem.0" in names and "stages.0.blocks.0.mlp.fc2" in names, names
    guided_step(model, names, lambda: model(x).square().mean())
    print(f"timm {timm.__version__}: {len(names)} layers before skips, {len(profile(model).summary())} with a profile")

    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=50, n_positions=16)
    model, ids = transformers.GPT2Model(config), torch.zeros(1, 5, dtype=torch.long)
    names = selection.by_role(model, "pre-skip", {"input_ids": ids, "use_cache": False})
    assert names == ["h.0.attn.c_proj", "h.0.mlp.c_proj", "h.1.attn.c_proj"], names
    guided_step(model, names, lambda: model(ids).last_hidden_state.square().mean())
    count = len(profile(model).summary())
    print(f"transformers {transformers.__version__}: {len(names)} layers before skips, {count} with a profile")


if __name__ == "__main__":
    main()
