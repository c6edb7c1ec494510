"""An autoencoder's step on a CPU, written out: no autograd, hardly any memory allocated.

The models of a stack are computed one by one: the numbers of a model are the same bits whatever it is stacked with.

Shape legend: B batch, I inputs, L latent width, N images, V validation images.
"""

import math

import torch
from torch import Tensor

from entropy_guidance import square_part
from replication.autoencoder.training.model import Autoencoders
from replication.autoencoder.training.penalised import Penalised, penalised_change

ROWS = 512  # images that the buffers hold at least; validation takes as many at once


class Backpropagation:
    """Gradients of all parameters of a stack of models, in their `grad`, which this object puts there and keeps."""

    def __init__(self, models: Autoencoders, batch_size: int, output_activation: str) -> None:
        models_, width, inputs = models.encoder_MLI.shape
        for parameter in models.tensors():
            parameter.grad = torch.zeros_like(parameter)
        self.weights = [[t.detach()[m] for t in models.tensors()] for m in range(models_)]
        self.grads = [[t.grad[m] for t in models.tensors() if t.grad is not None] for m in range(models_)]
        self.sigmoid_output = output_activation == "sigmoid"
        rows, dtype = max(batch_size, ROWS), models.encoder_MLI.dtype
        self.bytes_BI = torch.empty(rows, inputs, dtype=torch.uint8)
        self.x_BI, self.y_BI, self.dy_BI = (torch.empty(rows, inputs, dtype=dtype) for _ in range(3))
        self.h_BL, self.dh_BL = (torch.empty(rows, width, dtype=dtype) for _ in range(2))

    @torch.no_grad()
    def gradients(self, m: int, images_NI: Tensor, batch_B: Tensor) -> Tensor:
        """Gradients of model m's MSE on a batch of uint8 images; returns that MSE, (), to six digits."""
        batch = len(batch_B)
        bytes_BI = torch.index_select(images_NI, 0, batch_B, out=self.bytes_BI[:batch])
        x_BI, h_BL, y_BI = self._forward(m, bytes_BI)
        _, _, decoder_IL, _ = self.weights[m]
        d_encoder_LI, d_encoder_bias_1L, d_decoder_IL, d_decoder_bias_1I = self.grads[m]

        dy_BI = torch.sub(y_BI, x_BI, out=self.dy_BI[:batch])
        squared_error = torch.dot(dy_BI.view(-1), dy_BI.view(-1))
        dy_BI.mul_(2 / dy_BI.numel())
        if self.sigmoid_output:
            torch.ops.aten.sigmoid_backward.grad_input(dy_BI, y_BI, grad_input=dy_BI)
        torch.mm(dy_BI.T, h_BL, out=d_decoder_IL)
        torch.sum(dy_BI, 0, keepdim=True, out=d_decoder_bias_1I)

        dh_BL = torch.mm(dy_BI, decoder_IL, out=self.dh_BL[:batch])
        torch.ops.aten.sigmoid_backward.grad_input(dh_BL, h_BL, grad_input=dh_BL)
        torch.mm(dh_BL.T, x_BI, out=d_encoder_LI)
        torch.sum(dh_BL, 0, keepdim=True, out=d_encoder_bias_1L)
        return squared_error / dy_BI.numel()

    def add_penalty_gradient(
        self, m: int, form: Penalised, lambda_: float, epsilon: float, inputs_L: Tensor | None = None
    ) -> None:
        """Add to model m's gradient that of the penalty of its encoder, or of those of its columns alone."""
        gradient_LI, weight_LI = self.grads[m][0], self.weights[m][0]
        if inputs_L is None:
            add_penalty_gradient(gradient_LI, weight_LI, form, lambda_, epsilon)
            return
        block_LL = weight_LI.index_select(1, inputs_L)
        gradient_LL = torch.zeros_like(block_LL)
        add_penalty_gradient(gradient_LL, block_LL, form, lambda_, epsilon)
        gradient_LI.index_add_(1, inputs_L, gradient_LL)

    @torch.no_grad()
    def mse(self, m: int, images_VI: Tensor) -> float:
        """MSE of model m on uint8 images, summed in float64."""
        total = 0.0
        for bytes_BI in images_VI.split(len(self.x_BI)):
            x_BI, _, y_BI = self._forward(m, bytes_BI)
            total += y_BI.sub_(x_BI).square_().sum(dtype=torch.float64).item()
        return total / images_VI.numel()

    def _forward(self, m: int, bytes_BI: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        encoder_LI, encoder_bias_1L, decoder_IL, decoder_bias_1I = self.weights[m]
        batch = len(bytes_BI)
        x_BI = self.x_BI[:batch].copy_(bytes_BI).div_(255)
        h_BL = torch.addmm(encoder_bias_1L, x_BI, encoder_LI.T, out=self.h_BL[:batch]).sigmoid_()
        y_BI = torch.addmm(decoder_bias_1I, h_BL, decoder_IL.T, out=self.y_BI[:batch])
        return x_BI, h_BL, y_BI.sigmoid_() if self.sigmoid_output else y_BI


def add_penalty_gradient(
    gradient_LI: Tensor, weight_LI: Tensor, form: Penalised, lambda_: float, epsilon: float
) -> None:
    """Add to a gradient that of the penalty of its weights."""
    if form in ("reciprocal", "log"):
        _add_square_part_gradient(gradient_LI, weight_LI, form, lambda_, epsilon)
    elif form == "exact" and weight_LI.shape[0] < weight_LI.shape[1]:
        _add_wide_gradient(gradient_LI, weight_LI, lambda_)
    else:  # the control of H4-scale, and layers that no grid has
        weight_1LI = weight_LI.detach()[None].requires_grad_()
        change_1 = penalised_change(form, weight_1LI)
        gradient_LI.add_(torch.autograd.grad(-lambda_ * change_1.sum(), weight_1LI)[0][0])


def _add_square_part_gradient(
    gradient_LI: Tensor, weight_LI: Tensor, form: Penalised, lambda_: float, epsilon: float
) -> None:
    """Of the reciprocal or log penalty: its slope times the inverse of W_sq, transposed.

    One LU tells log|det W_sq| and the inverse. Nothing is inverted for a slope that is zero in the precision of the
    weights (a reciprocal far below epsilon); a singular W_sq has no gradient.
    """
    factors_kk, pivots_k, singular = torch.linalg.lu_factor_ex(square_part(weight_LI))
    if singular:
        return
    slope = -lambda_
    if form == "reciprocal":
        slope = reciprocal_slope(factors_kk.diagonal().abs().log().sum().item(), lambda_, epsilon)
    rounded = torch.tensor(slope, dtype=weight_LI.dtype)
    if rounded != 0:
        square_part(gradient_LI).add_(_inverse_transposed(factors_kk, pivots_k).mul_(rounded))


def _add_wide_gradient(gradient_LI: Tensor, weight_LI: Tensor, lambda_: float) -> None:
    """Of -lambda log det(W W^T) / 2 for a wide W: -lambda times its pseudo-inverse, transposed.

    A W of lower rank has no gradient.
    """
    factors_LL, pivots_L, singular = torch.linalg.lu_factor_ex(weight_LI @ weight_LI.T)
    if not singular:
        gradient_LI.addmm_(_inverse_transposed(factors_LL, pivots_L), weight_LI, alpha=-lambda_)


def _inverse_transposed(factors_kk: Tensor, pivots_k: Tensor) -> Tensor:
    """The transposed inverse from an LU: faster than the inverse itself, and than torch.linalg.inv."""
    eye_kk = torch.eye(len(pivots_k), dtype=factors_kk.dtype)
    return torch.linalg.lu_solve(factors_kk, pivots_k, eye_kk, adjoint=True)


def reciprocal_slope(change: float, lambda_: float, epsilon: float) -> float:
    """d/dc of lambda / (exp(c) + epsilon), c in nats, without overflow."""
    near = math.exp(-abs(math.log(epsilon) - change))
    return -lambda_ / epsilon * near / (1 + near) ** 2
