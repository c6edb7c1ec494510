#!/usr/bin/env bash
# numpy 2.4.6 with ml_dtypes 0.6.0: the mean of bfloat16 numbers is taken in bfloat16, and stops growing, without a word.
# Seen: 0.000256 as the mean of a million numbers around 0.3; of a thousand, 0.138. ONNX and safetensors files hold such weights.
# Exit status 0 while this is so. It is why weights are cast to float32 before any mean of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ml_dtypes==0.6.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import ml_dtypes
import numpy as np

weights = np.random.default_rng(0).normal(0.3, 0.1, 1_000_000).astype(ml_dtypes.bfloat16)
found = {"bfloat16": float(weights.mean()), "cast to float32": float(weights.astype(np.float32).mean())}
print(found)
assert abs(found["cast to float32"] - 0.3) < 1e-3
assert found["bfloat16"] < 0.01, "the mean is right now"
PYTHON
