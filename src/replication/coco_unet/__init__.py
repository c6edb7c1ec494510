"""U-Nets on COCO: Table 3 and Figure 10, claim C11."""

from replication.training import recorded

SECTIONS = ("unet",)  # of params.yaml

# What every record of its runs has; tests compare with what is trained.
METRICS = (*recorded.LARGE_METRICS, "iou", "image_iou", "best_validation_loss")
HISTORIES = (*recorded.LARGE_HISTORIES, "iou", "image_iou")
