"""What the published Tables 1 to 3 can support, from their numbers alone."""

SECTIONS = ()  # of params.yaml: nothing is trained
