"""What a record of these families holds beside its metrics: names and numbers that need no torch."""

from typing import Literal

IMAGES = 128  # of each split, on which layers are measured
EPOCHS = (0, 1, 2, 4, 8, 15)  # at which they are
Rule = Literal["power", "neighbours", "median", "standardised"]
RULES: tuple[Rule, ...] = ("power", "neighbours", "median", "standardised")  # of the kernel's width
SCALED = 10  # the last block's outputs are measured so many times as large, too: where the width does not follow them
PER_NAT = 100  # predictions are kept as whole hundredths of a nat
