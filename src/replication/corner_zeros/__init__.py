"""How often a guided weight meets a zero: the question of H9, asked of every network of the paper."""

SECTIONS = ()  # of params.yaml: it has none of its own
