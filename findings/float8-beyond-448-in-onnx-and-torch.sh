#!/usr/bin/env bash
# onnx 1.23.2, torch 2.12.1 and ml-dtypes 0.6.0: a number too large for float8_e4m3fn, whose largest is 448, becomes 448 where ONNX
# writes a tensor (its casts saturate by default) and not-a-number where torch or ml-dtypes convert it. The same weights, stored in
# 8 bits by one or the other, have a profile or none.
# Seen: 465 -> nan (torch), nan (ml-dtypes), 448 (onnx); infinity likewise.
# Exit status 0 while this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 ml-dtypes==0.6.0 numpy==2.4.6 torch==2.12.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import ml_dtypes
import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

numbers = [449.0, 465.0, math.inf]
found = {
    "torch": torch.tensor(numbers).to(torch.float8_e4m3fn).float().tolist(),
    "ml-dtypes": np.array(numbers, np.float32).astype(ml_dtypes.float8_e4m3fn).astype(np.float32).tolist(),
    "onnx": numpy_helper.to_array(helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, [3], numbers)).astype(np.float32).tolist(),
}
print(numbers, "->", found)
assert found["onnx"] == [448, 448, 448], "onnx does not saturate any longer"
for way in ("torch", "ml-dtypes"):
    first, *beyond = found[way]
    assert first == 448 and all(math.isnan(value) for value in beyond), f"{way} saturates now"
PYTHON
