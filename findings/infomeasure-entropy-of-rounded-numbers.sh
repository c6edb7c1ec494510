#!/usr/bin/env bash
# infomeasure 0.6.3: the entropy by nearest neighbours breaks ties with noise of 1e-10, and then measures that noise, without a
# warning. Numbers with few decimals, as sensors and printed tables have them, tie all the time.
# Seen: 200 normal draws have 1.394 nats (the law has 1.419); rounded to one decimal they have -13.215 nats.
# Exit status 0 while this is so. It is why tests/peers compares with its discrete estimators alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet infomeasure==0.6.3 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import math

import infomeasure
import numpy as np

draws = np.random.default_rng(0).normal(size=200)
found = {name: float(infomeasure.entropy(x, approach="metric")) for name, x in (("drawn", draws), ("rounded", draws.round(1)))}
print(found)
assert abs(found["drawn"] - 0.5 * math.log(2 * math.pi * math.e)) < 0.1
assert found["rounded"] < -5, "rounded numbers no longer have the entropy of the noise"
PYTHON
