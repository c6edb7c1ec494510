"""Made-up records of U-Nets, for the tests of claims, tables and figures."""

import numpy as np
import torch

from replication.coco_unet.training import task
from replication.coco_unet.training.masks import encode_image, encode_mask
from replication.core.runs import make_record


def made_up(run, images=40):
    """A record as the trainer writes it; guidance finds a little more of each object."""
    generator = np.random.default_rng(5)
    tp = generator.integers(300, 500, images) + (20 if run["lambda"] else 0)
    fn, fp = 600 - tp, generator.integers(50, 150, images)
    counts = {"tp": tp, "fp": fp, "fn": fn, "tn": 4096 - tp - fn - fp}
    stacked = np.stack(list(counts.values()), axis=1)
    metrics = task.metrics(torch.from_numpy(stacked)) | {
        "stopping_epoch": 2 if run["lambda"] else 3,
        "stopped_early": 0,
        "validation_loss": 0.1,
        "best_epoch": 2,
        "seconds_per_epoch": 2.0 + run["lambda"],
        "images_per_second": 9.0,
        "train_images": 128,
        "validation_images": images,
    }
    mask = np.zeros((64, 64), dtype=bool)
    mask[8:40, 8:40] = True
    picture = np.full((64, 64, 3), 90, dtype=np.uint8)
    shown = {"id": 7, "prediction": encode_mask(mask)}
    if run["lambda"] == 0:
        shown |= {"truth": encode_mask(~mask), "image": encode_image(picture)}
    history = {"validation_loss": [0.3, 0.2, 0.1], "accuracy": [0.5, 0.6, 0.7], "iou": [0.1, 0.2, 0.3]}
    if run["lambda"]:
        history = {"validation_loss": [0.3, 0.2], "accuracy": [0.5, 0.5], "iou": [0.1, 0.25]}
    record = make_record(run, metrics, history, 6.0, {"device": "cpu", "torch": "2", "data": "d"})
    return record | {"per_image": {name: values.tolist() for name, values in counts.items()}, "shown": [shown]}
