#!/usr/bin/env bash
# torch 2.12.1: load_state_dict_from_url(check_hash=True) compares the checksum of a file that it downloads, and not of one
# that lies in the cache, though each file's name ends in the beginning of its SHA-256; and it unpickles by default.
# Seen: any state dict under the name of torchvision's ResNet-50 is loaded as that. Exit status 0 while this is so.
# It is why our commands compare the checksum themselves and load with weights_only=True.
# Run it where torch is installed: PYTHON=.venv/bin/python findings/torch-hub-cache-is-not-checked.sh
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
TORCH_HOME="$folder" "${PYTHON:-python3}" - <<'PYTHON'
import os
import pathlib

import torch

NAME = "resnet50-0676ba61.pth"
cache = pathlib.Path(os.environ["TORCH_HOME"]) / "hub" / "checkpoints"
cache.mkdir(parents=True)
torch.save({"other": torch.ones(2)}, cache / NAME)
found = torch.hub.load_state_dict_from_url(f"http://127.0.0.1:9/{NAME}", check_hash=True)
print(f"loaded as {NAME}: {found}")
assert list(found) == ["other"], "the cache is checked now"
PYTHON
