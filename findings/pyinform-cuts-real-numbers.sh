#!/usr/bin/env bash
# pyinform 0.2.0: real numbers are cut to integers without a word, so a series between 0 and 1 counts as constant.
# Seen: transfer entropy 0.0 bits from a series of 0.1 and 0.9, and 0.811 bits from the same series as 0 and 1.
# Exit status 0 while this is so. It is why entropy_guidance.transfer_entropy refuses real numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyinform==0.2.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pyinform

symbols = np.array([0, 1, 1, 1, 1, 0, 0, 0, 0])
target = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0])
real = np.where(symbols == 1, 0.9, 0.1)
found = {name: pyinform.transfer_entropy(x, target, k=1) for name, x in (("symbols", symbols), ("real", real))}
print(found)
assert abs(found["symbols"] - 0.811278) < 1e-5
assert found["real"] == 0, "real numbers are no longer cut"
PYTHON
