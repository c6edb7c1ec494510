#!/usr/bin/env bash
# segmentation-models-pytorch 0.6.0 and torchmetrics 1.9.0: the IoU of an empty mask with an empty prediction is 0, 1 or not a number,
# by library, by class and by reduction. smp's `zero_division=1.0` reaches neither "micro" nor a plain "macro" mean of one class.
# Seen: smp micro nan, micro-imagewise 1.0, macro-imagewise 1.0; torchmetrics BinaryJaccardIndex 0.0, MeanIoU 1.0, without background nan.
# A mean over images of COCO, where many a class is absent, depends on which of them is taken.
# Exit status 0 while this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet segmentation-models-pytorch==0.6.0 torchmetrics==1.9.0 torch==2.12.1 torchvision==0.27.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import torch
from segmentation_models_pytorch.metrics import get_stats, iou_score
from torchmetrics.classification import BinaryJaccardIndex
from torchmetrics.segmentation import MeanIoU

nothing = torch.zeros(2, 1, 4, 4, dtype=torch.long)
counts = get_stats(nothing, nothing, mode="binary")
found = {f"smp, {way}": iou_score(*counts, reduction=way) for way in ("micro", "micro-imagewise", "macro-imagewise")}
found["torchmetrics, BinaryJaccardIndex"] = BinaryJaccardIndex()(nothing, nothing)
for background in (True, False):
    mean = MeanIoU(num_classes=2, input_format="index", include_background=background)
    found[f"torchmetrics, MeanIoU, background {background}"] = mean(nothing[:, 0], nothing[:, 0])
for way, value in found.items():
    print(f"{way}: {float(value)}")
values = [float(value) for value in found.values()]
expected = [math.nan, 1.0, 1.0, 0.0, 1.0, math.nan]
assert all(a == b or math.isnan(a) and math.isnan(b) for a, b in zip(values, expected, strict=True)), "they are others now"
PYTHON
