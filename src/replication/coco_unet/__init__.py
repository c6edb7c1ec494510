"""U-Nets on COCO: Table 3 and Figure 10, claim C11."""

SECTIONS = ("unet",)  # of params.yaml
