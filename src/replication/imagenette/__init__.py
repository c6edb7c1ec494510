"""VGG16 and ResNet-50 on Imagenette: Table 2, claims C9 and C10."""

SECTIONS = ("imagenette",)  # of params.yaml
