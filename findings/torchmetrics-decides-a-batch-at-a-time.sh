#!/usr/bin/env bash
# torchmetrics 1.9.0: MulticlassCalibrationError takes logits or probabilities, and tells them apart batch by batch. A batch
# whose logits all happen to lie between 0 and 1 counts as probabilities, though its rows do not sum to 1: no softmax, no word.
# Seen: the same three rows of logits have a calibration error of 0.636 as one batch, and 0.370 as batches of two and one.
# Exit status 0 while this is so. It is why entropy_guidance.outputs takes probabilities there, and refuses other rows.
# Needs torch: give it an interpreter that has both, as .peers/bin/python after `make test-peers`.
set -euo pipefail
"${1:-python3}" - <<'PYTHON'
import torch
import torchmetrics
from torchmetrics.classification import MulticlassCalibrationError

assert torchmetrics.__version__ == "1.9.0", torchmetrics.__version__
logits = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [3.0, 0.0, 0.0]])
labels = torch.tensor([0, 1, 1])
found = {}
for sizes in ([3], [2, 1]):
    metric = MulticlassCalibrationError(num_classes=3)
    for part, own in zip(logits.split(sizes), labels.split(sizes)):
        metric.update(part, own)
    found[str(sizes)] = metric.compute().item()
print(found)
assert abs(found["[3]"] - 0.636) < 1e-3
assert abs(found["[2, 1]"] - 0.370) < 1e-3, "batches no longer matter"
PYTHON
