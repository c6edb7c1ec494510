#!/usr/bin/env bash
# dit 2.3: PID_BROJA gives a negative redundancy, though its definition allows no negative part, and without a warning.
# Seen: -0.294 bits for a law of five outcomes, and 0.408 bits as the unique part of a source that tells 0.115 in all.
# PID_WB gives 0.115 as the redundancy, and nothing as unique.
# Exit status 0 while this is so. It is why tests/entropy_guidance/test_renyi.py compares with PID_WB.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dit==2.3 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import dit
from dit.pid import PID_BROJA, PID_WB

law = dit.Distribution(["000", "011", "101", "110", "112"], [0.3, 0.2, 0.2, 0.2, 0.1])
redundancy = {}
for decomposition in (PID_BROJA, PID_WB):
    parts = decomposition(law, [[0], [1]], [2])
    redundancy[decomposition.__name__] = float(parts.get_pi(((0,), (1,))))
print(redundancy)
assert redundancy["PID_BROJA"] < -0.1, "the redundancy is no longer negative"
assert redundancy["PID_WB"] >= 0
PYTHON
