"""Dense autoencoder with one hidden layer, as a stack of M equal models (paper, section 5.2).

Shape legend: M models, B batch, I inputs (pixels), L latent width. Weights are stored as in nn.Linear: (M, out, in).
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn


@dataclass
class Autoencoders:
    """Parameters of M autoencoders: sigmoid(W_enc x + b_enc), then W_dec h + b_dec through the output activation."""

    encoder_MLI: Tensor
    encoder_bias_M1L: Tensor
    decoder_MIL: Tensor
    decoder_bias_M1I: Tensor

    @classmethod
    def initial(cls, inputs: int, width: int, seeds: list[int], dtype: torch.dtype) -> "Autoencoders":
        """Glorot-uniform weights and zero biases (Keras's defaults), one seed a model.

        Drawn on the CPU in float32 whatever the device and precision, so that all of them start from the same values.
        """
        encoders, decoders = [], []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            encoders.append(nn.init.xavier_uniform_(torch.empty(width, inputs), generator=generator))
            decoders.append(nn.init.xavier_uniform_(torch.empty(inputs, width), generator=generator))
        return cls(
            torch.stack(encoders).to(dtype),
            torch.zeros(len(seeds), 1, width, dtype=dtype),
            torch.stack(decoders).to(dtype),
            torch.zeros(len(seeds), 1, inputs, dtype=dtype),
        )

    def tensors(self) -> list[Tensor]:
        return [getattr(self, field.name) for field in fields(self)]

    def reconstruct(self, x_MBI: Tensor, output_activation: str) -> Tensor:
        """(M, B, I) or (1, B, I) -> (M, B, I)."""
        x_MBI = x_MBI.expand(len(self.encoder_MLI), -1, -1)
        h_MBL = torch.baddbmm(self.encoder_bias_M1L, x_MBI, self.encoder_MLI.mT).sigmoid()
        y_MBI = torch.baddbmm(self.decoder_bias_M1I, h_MBL, self.decoder_MIL.mT)
        return y_MBI.sigmoid() if output_activation == "sigmoid" else y_MBI
