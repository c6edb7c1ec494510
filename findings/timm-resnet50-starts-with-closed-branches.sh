#!/usr/bin/env bash
# timm 1.0.31 and torchvision 0.27.1: resnet50 of the one and of the other do not start alike. timm sets the last norm of every block
# to zero, so that at first each block passes its input on and nothing else: the convolution before the sum has no part in the output
# and no gradient from the loss. torchvision sets it to one, unless `zero_init_residual` is given. A penalty on these convolutions is
# all that moves them in timm's first step.
# Seen: mean weight of the 16 last norms 0.0 and 1.0; gradient of layer1.0.conv3 0.0 in timm's network, more than 0 in torchvision's.
# Exit status 0 while this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet timm==1.0.31 torch==2.12.1 torchvision==0.27.1
"$folder/venv/bin/python" - <<'PYTHON'
import timm
import torch
from torchvision.models import resnet50

torch.manual_seed(0)
images, labels = torch.randn(4, 3, 64, 64), torch.arange(4)
found = {}
for name, model in (("timm", timm.create_model("resnet50", pretrained=False)), ("torchvision", resnet50())):
    last = [module.weight.mean().item() for path, module in model.named_modules() if path.endswith(".bn3")]
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    gradient = model.layer1[0].conv3.weight.grad.abs().sum().item()
    found[name] = (len(last), sum(last) / len(last), gradient)
    print(f"{name}: {len(last)} last norms, mean weight {found[name][1]}; gradient of layer1.0.conv3 {gradient:.3g}")
assert found["timm"] == (16, 0.0, 0.0) and found["torchvision"][1] == 1 and found["torchvision"][2] > 0, "they start alike now"
PYTHON
