"""Which inputs the guided block reads: hypotheses H9 and H10."""

SECTIONS = ()  # of params.yaml: it has none of its own
