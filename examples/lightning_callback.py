"""Guidance in Lightning: `Trainer(callbacks=[Guide({"encoder.0": 1e-3})])`; the module's own code stays as it is.

The penalty's gradient is added after each backward pass, in float32 and bfloat16; where batches are accumulated, in
shares. With float16 and its loss scaling, add `guidance()` to the loss in training_step() instead.
"""

from collections.abc import Mapping
from typing import Any

import lightning
from torch import Tensor

from entropy_guidance import EntropyGuidance


class Guide(lightning.Callback):
    """Adds guidance to any LightningModule with automatic optimisation, and logs its terms."""

    def __init__(self, layers: Mapping[str, float | Tensor], **options: Any) -> None:
        self.layers, self.options = layers, options
        self.guidance: EntropyGuidance | None = None

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        self.guidance = EntropyGuidance(pl_module, self.layers, **self.options).to(pl_module.device)

    def on_after_backward(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert self.guidance is not None
        (self.guidance() / trainer.accumulate_grad_batches).backward()
        pl_module.log_dict({f"guidance/{name}": term for name, term in self.guidance.log().items()})
