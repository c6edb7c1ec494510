"""Three rivals of entropy guidance on the smallest CNN: hypotheses R1 to R8."""

SECTIONS = ("rivals",)  # of params.yaml
