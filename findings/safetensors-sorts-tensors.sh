#!/usr/bin/env bash
# safetensors 0.8.0: a file does not keep the order in which a state dict names its tensors. They are sorted by the size of their
# type and then by letters, so that layer 10 comes before layer 2, and one layer in double precision before all others.
# What goes through a network "layer by layer" needs another source for the order: a profile read from such a file would be shuffled.
# Seen: saved as layer.1, layer.2, layer.10, last (double precision); loaded as last, layer.1, layer.10, layer.2.
# Exit status 0 while this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/weights.safetensors" <<'PYTHON'
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

saved = {f"layer.{number}": np.zeros(3, np.float32) for number in (1, 2, 10)} | {"last": np.zeros(3)}
save_file(saved, sys.argv[1])
loaded = list(load_file(sys.argv[1]))
print(list(saved), "->", loaded)
assert loaded == ["last", "layer.1", "layer.10", "layer.2"], "the order is another one now"
PYTHON
