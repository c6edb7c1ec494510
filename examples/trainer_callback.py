"""Guidance in Hugging Face's Trainer: `Trainer(..., callbacks=[Guide({"classifier": 1e-3})])`.

The penalty's gradient is added to that of the last batch before each optimiser step.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import TrainerCallback

from entropy_guidance import EntropyGuidance


class Guide(TrainerCallback):
    """Adds guidance to any model, in float32 and bfloat16, and keeps its terms in `log`."""

    def __init__(self, layers: Mapping[str, float | Tensor], **options: Any) -> None:
        self.layers, self.options = layers, options
        self.guidance: EntropyGuidance | None = None
        self.log: list[dict[str, float]] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:  # noqa: ARG002
        self.guidance = EntropyGuidance(model, self.layers, **self.options).to(model.device)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:  # noqa: ARG002
        assert self.guidance is not None
        self.guidance().backward()
        self.log.append(self.guidance.log())
