"""Guidance: a penalty on the entropy change of chosen layers, added to any loss (paper, sections 4 and 5.1).

Sign convention: a positive lambda preserves entropy (penalises its decrease), a negative one suppresses it.
"""

import math
import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from entropy_guidance.changes.conv import conv_entropy_change
from entropy_guidance.changes.dense import dense_entropy_change
from entropy_guidance.changes.exact import exact_conv_entropy_change, exact_dense_entropy_change
from entropy_guidance.changes.sizes import Anchor, checked_anchor, checked_image_size, each_dimension, position
from entropy_guidance.changes.volume import log_volume, whole_precision
from entropy_guidance.constants import made_once
from entropy_guidance.distributed import after_backward, looks_for_unused
from entropy_guidance.filters import filter_sums
from entropy_guidance.findings import Finding, still_inputs
from entropy_guidance.layers import Convolution, Dense, Map, behind, find, read
from entropy_guidance.penalties import FORMS, Form, penalty
from entropy_guidance.weights import NotThere

FLAT = 16  # nats below log epsilon: there float32 does not tell the reciprocal from lambda / epsilon

Terms = list[tuple[tuple[str, ...], Tensor]]  # names of layers, and a penalty for each of them


class EntropyGuidance(nn.Module):
    """Penalty on the entropy change of named layers of a model (eqs. 41 to 47).

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    >>> guidance = EntropyGuidance(model, {"0": 1e-3, "3": 1e-4})
    >>> loss = model(torch.ones(2, 3, 8, 8)).square().mean() + guidance()
    >>> loss.backward()
    >>> guidance.set_lambda(5e-4)  # as a schedule has it
    >>> sorted(guidance.log())  # the terms of the last pass, as floats
    ['0', '3']

    What is penalised, summed over a layer:

    - matrices (`nn.Linear`, attention's projections, gates of recurrent layers, experts): log|det W_sq|; with
      `form="exact"` 1/2 log det(W W^T).
    - convolutions, of one to three dimensions, transposed ones too: log|c11| of every filter, whatever stride, padding,
      dilation or groups; with `form="exact"` the layer's exact change per output pixel, with circular padding (see
      `exact_conv_entropy_change`; of a transposed convolution the image is what it puts out).

    `layers.register_layer` adds layers of your own. Weights are read as the layer applies them: parametrised, pruned,
    normalised or standardised, with LoRA's adapters, put together from FSDP2's shards (call it on every rank then).
    Reading changes nothing in the model.

    A single weight's `log` is as steep as lambda / (|c11| + floor), and its `reciprocal` as lambda / (|c11| +
    epsilon)^2: with plain SGD choose lambda so that learning rate times that stays small against the weights, with the
    reciprocal an epsilon near their size (1e-2, say). The reciprocal of a whole matrix is the constant lambda / epsilon
    to float32's precision, with a gradient that fades like |det W_sq| / epsilon^2, where |det W_sq| is far below
    epsilon, as it is in all but the smallest layers: a warning says so, and `log` is the form to take. `log` of a
    matrix and `exact` are infinite at a singular one, without a gradient; a warning says so. A negative lambda drives
    `log` towards its pole at det = 0.

    A weight that two of the layers share is penalised for each, and a frozen layer adds a constant: warnings say so.
    Half-precision weights are penalised in float32. Copy model and guidance together.

    Args:
        model: any module; its layers are found by the names of `model.named_modules()` at every call, and have to fit
            their lambda and the form at every call. `module.` and `_orig_mod.` in names may be there or not.
        layers: name of a layer -> lambda, a number of either sign, or a tensor: (); for `reciprocal` and `log` (O,) or
            (O, I) for each filter of a convolution with O outputs and I inputs a group; (M,) for a stack of matrices.
            Tensors become buffers that follow `.to` and are not part of the state dict.
        form: `log`, `reciprocal` (the paper's modified form), or `exact`; see `penalty`.
        epsilon: the constant in the reciprocal's denominator.
        floor: of convolutions with form `log`: log(|c11| + floor), in units of the weight, from 0 (the paper's eq. 43)
            to below 1.
        reduction: `sum` over a layer's filters or matrices, as in the paper, or their `mean`.
        anchor: the weight that stands for c11, see `conv_entropy_change`; other places than the corner are placebos.
        image_size: pixels in each dimension, or one number for all; `exact` samples a convolution's spectrum at so many
            frequencies. 8 to 16 in each dimension are enough for filters of 3 x 3; the cost grows with their product.
        inputs: name of a layer of matrices (O, I) -> the min(O, I) inputs whose columns form W_sq, instead of the
            leading ones.

    The guided model is not registered as a submodule: parameters and state dict stay those of the model alone.

    Raises:
        ValueError: no layers, a name that the model does not have, a layer of an unsupported kind or whose weights
            cannot be read, an unknown form or reduction, an epsilon that is not positive or that float32 cannot hold, a
            lambda that is no finite real number or does not fit the layer, an anchor outside of a filter, inputs that
            do not fit; `exact` for a convolution without an image size, or with one that is no multiple of the stride.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Mapping[str, float | Tensor],
        *,
        form: Form = "log",
        epsilon: float = 1e-7,
        floor: float = 1e-3,
        reduction: Literal["sum", "mean"] = "sum",
        anchor: Anchor = "corner",
        image_size: int | Sequence[int] | None = None,
        inputs: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"unknown form {form!r}: choose one of {', '.join(FORMS)}")
        if reduction not in ("sum", "mean"):
            raise ValueError(f"unknown reduction {reduction!r}: choose sum or mean")
        if not isinstance(layers, Mapping) or not layers:
            raise ValueError(f"layers must map at least one layer's name to its lambda, got {layers!r}")
        info = torch.finfo(torch.float32)
        self.epsilon, self.floor = _real(epsilon), _real(floor)
        if not info.tiny <= self.epsilon <= info.max:
            raise ValueError(f"epsilon must be positive, and a number that float32 can hold; got {epsilon!r}")
        if not 0 <= self.floor < 1:
            raise ValueError(f"floor must be a number from 0 to below 1, in units of the weight; got {floor!r}")
        self.form: Form = form
        self.reduction = reduction
        self.anchor = checked_anchor(anchor)
        self.image_size = None if image_size is None else checked_image_size(image_size)
        self.inputs = {name: _checked_indices(name, indices) for name, indices in (inputs or {}).items()}
        if stray := sorted(set(self.inputs) - set(layers)):
            raise ValueError(f"inputs are given for {stray[0]!r}, which is not guided")
        self._model = (model,)  # in a tuple, unlike as an attribute, it is not registered by nn.Module
        self._names = tuple(layers)
        self._numbers: dict[str, float] = {}
        for name, lambda_ in layers.items():
            self._keep_lambda(name, _checked_lambda(name, lambda_))
        self._last: Terms = []
        self._warned: set[tuple[str, str]] = set()
        self._late: bool | None = None  # whether gradients wait for DDP; told at the first pass
        for finding in self._findings(refuse=True):
            self._warn(finding, stacklevel=3)

    @property
    def lambdas(self) -> dict[str, float | Tensor]:
        """Name of a layer -> its lambda now, a number or a buffer."""
        return {name: self._lambda(name) for name in self._names}

    def set_lambda(self, lambda_: float | Tensor, layer: str | None = None) -> None:
        """Give one layer, or all of them, another lambda: a schedule's step.

        A lambda that was once set is a buffer, so that a compiled step need not be compiled again.

        Raises:
            ValueError: no such layer is guided, or the lambda is no finite number.
        """
        if layer is not None and layer not in self._names:
            raise ValueError(f"{layer!r} is not guided. Guided layers: {', '.join(self._names)}")
        for name in self._names if layer is None else (layer,):
            value = _checked_lambda(name, lambda_)
            if isinstance(value, Tensor):
                self._keep_lambda(name, value)
            elif name in self._numbers:
                del self._numbers[name]
                weight = self._maps(name)[0].weight
                self._keep_lambda(name, torch.tensor(value, device=weight.device))
            else:
                with torch.no_grad():
                    getattr(self, self._buffer(name)).fill_(value)

    def terms(self) -> dict[str, Tensor]:
        """Penalty of each guided layer, a scalar each: the sum over its filters, or over a stack of matrices."""
        terms: dict[str, Tensor] = {}
        for names, values in self._pass():
            for name, value in zip(names, values.unbind(), strict=True):
                terms[name] = terms[name] + value if name in terms else value
        return {name: terms[name] for name in self._names}

    def forward(self) -> Tensor:
        """The sum of all terms: a scalar to add to a loss, on the device of the first layer."""
        totals = [values.sum() for _, values in self._pass()]
        return sum((total.to(totals[0].device) for total in totals[1:]), totals[0])

    def log(self) -> dict[str, float]:
        """Penalty of each guided layer in the last pass, as floats; {} before the first."""
        found: dict[str, float] = {}
        for names, values in self._last:
            for name, value in zip(names, values.tolist(), strict=True):
                found[name] = found.get(name, 0.0) + value
        return {name: found[name] for name in self._names if name in found}

    def check(self, batch: Any = None) -> list[Finding]:
        """What would be refused or warned of if the guidance were made now; nothing is raised.

        Args:
            batch: what the model accepts: a tensor, a tuple of positional or a dictionary of keyword arguments. With it
                also the inputs of each guided block that are the same throughout the batch: what their weights do, no
                example shows.
        """
        findings = list(self._findings(refuse=False))
        if batch is not None:
            wrong = {finding.layer for finding in findings if finding.problem == "unusable"}
            blocks = {}
            for name in self._names:
                if name not in wrong:
                    (first, *_), module = self._maps(name), find(self._model[0], name)[0]
                    blocks[name] = module, self._block_inputs(name, first)
            findings += still_inputs(self._model[0], blocks, batch)
        return findings

    def extra_repr(self) -> str:
        return f"layers={self.lambdas}, form={self.form!r}, epsilon={self.epsilon}, anchor={self.anchor!r}"

    def _pass(self) -> Terms:
        """The penalties of all layers, those of convolutions together where they can be."""
        result: Terms = []
        together: dict[tuple[torch.device, torch.dtype], list[tuple[str, Convolution, float]]] = {}
        if self._late is None and not torch.compiler.is_compiling():
            self._late = looks_for_unused(self._model[0])
        for name in self._names:
            maps = self._maps(name)
            if self._late:
                maps = [replace(each, weight=after_backward(each.weight)) for each in maps]
            share = 1 / sum(self._count(each) for each in maps) if self.reduction == "mean" else 1.0
            for each in maps:
                self._watch_gradient(name, each)
                lambda_ = self._lambda(name)
                one = not isinstance(lambda_, Tensor) or lambda_.ndim == 0
                if one and isinstance(each, Convolution) and self.form != "exact":
                    weight = whole_precision(each.weight)
                    together.setdefault((weight.device, weight.dtype), []).append((name, each, share))
                    continue
                change = self._change(name, each)
                values = penalty(
                    change,
                    self._weigh(name, change),
                    form=self.form,
                    epsilon=self.epsilon,
                    floor=self.floor if isinstance(each, Convolution) else 0.0,
                )
                result.append(((name,), (values.sum() if share == 1 else values.sum() * share).reshape(1)))
                self._watch_value(name, each, change)
        result += [self._of_filters(triples) for triples in together.values()]
        self._last = [(names, values.detach()) for names, values in result]
        return result

    def _of_filters(self, triples: list[tuple[str, Convolution, float]]) -> tuple[tuple[str, ...], Tensor]:
        """Penalties of convolutions of one type and device, all filters of a layer with one lambda."""
        names = tuple(name for name, _, _ in triples)
        weights = [whole_precision(each.weight) for _, each, _ in triples]
        log = self.form == "log"
        positions = tuple(self._position(name, each) for name, each, _ in triples)
        sums = (
            filter_sums(weights, positions, "log", self.floor)
            if log
            else filter_sums(weights, positions, "reciprocal", self.epsilon)
        )
        signed = [-share for _, _, share in triples]
        lambdas = [self._lambda(name) for name in names]
        if all(isinstance(lambda_, float) for lambda_ in lambdas):
            factors = _vector(
                tuple(float(a) * b for a, b in zip(lambdas, signed, strict=True)), sums.dtype, sums.device
            )
        else:
            stacked = [torch.as_tensor(lambda_, dtype=sums.dtype, device=sums.device) for lambda_ in lambdas]
            factors = torch.stack(stacked) * _vector(tuple(signed), sums.dtype, sums.device)
        values = factors * sums
        if log and self.floor == 0:  # no penalty without a lambda, though the change be -inf
            values = torch.where(factors == 0, 0, values)
            if not values.is_cuda and not torch.compiler.is_compiling():
                for name, value in zip(names, values.tolist(), strict=True):
                    if math.isinf(value):
                        self._warn(Finding(name, "infinite", _became_infinite(name)), stacklevel=5)
        return names, values

    def _maps(self, name: str) -> list[Map]:
        """The maps of a layer as they are now."""
        model = self._model[0]
        module, part = find(model, name)
        maps = [each for each in read(module, name) if not part or each.part == part]
        if any(each.weight.is_meta for each in maps) and not all(p.is_meta for p in model.parameters()):
            raise NotThere(
                f"layer {name!r}: its weight is on the meta device, where offloading leaves it between passes, and the "
                "rest of the model is not: bring it back first"
            )
        return maps

    def _change(self, name: str, each: Map) -> Tensor:
        """(O, I) for a convolution, () for a matrix or for an exact change, (M,) for a stack of matrices."""
        try:
            indices = self._checked_inputs(name, each)
            if isinstance(each, Convolution):
                if self.form == "exact":
                    return self._exact_change(each)
                kernel = whole_precision(each.weight)
                return conv_entropy_change(kernel, anchor=self.anchor, dimensions=kernel.ndim - 2)
            if self.form == "exact":
                return exact_dense_entropy_change(each.weight)
            if indices is None:
                return dense_entropy_change(each.weight)
            return log_volume(each.weight[..., : len(indices), indices])
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from None

    def _exact_change(self, each: Convolution) -> Tensor:
        """Per output pixel, of a transposed convolution per input pixel."""
        if self.image_size is None:
            raise ValueError("the exact change of a convolution needs an image_size")
        dimensions = each.weight.ndim - 2
        size = each_dimension(self.image_size, dimensions, "image_size")
        stride, dilation = (steps or (1,) * dimensions for steps in (each.stride, each.dilation))
        groups = each.weight.reshape(each.groups, -1, *each.weight.shape[1:])
        if each.transposed:
            groups = groups.transpose(1, 2)
        change = exact_conv_entropy_change(groups, size, stride=stride, dilation=dilation)
        return change.sum() * (math.prod(stride) / math.prod(size))

    def _checked_inputs(self, name: str, each: Map) -> list[int] | None:
        """The inputs whose columns form W_sq; None for the leading ones."""
        indices = self.inputs.get(name)
        if indices is None:
            return None
        if isinstance(each, Convolution) or self.form == "exact":
            why = "the exact form acts on all inputs" if self.form == "exact" else "a convolution has no square part"
            raise ValueError(f"inputs can be chosen for matrices with form log or reciprocal alone: {why}")
        outputs, inputs = each.weight.shape[-2:]
        wanted = min(outputs, inputs)
        if len(indices) != wanted:
            raise ValueError(
                f"inputs must name {wanted} inputs, as many as the square part of a weight {outputs} x {inputs} has "
                f"rows, got {len(indices)}"
            )
        if wrong := [index for index in indices if not 0 <= index < inputs]:
            raise ValueError(f"inputs must lie between 0 and {inputs - 1}, got {wrong[0]}")
        return indices

    def _block_inputs(self, name: str, each: Map) -> list[int] | None:
        """The inputs that the guided block reads; None for all of them."""
        if isinstance(each, Convolution) or self.form == "exact":
            return None
        return self.inputs.get(name) or list(range(min(each.weight.shape[-2:])))

    def _position(self, name: str, each: Convolution) -> tuple[int, ...]:
        try:
            return position(self.anchor, each.weight.shape[2:])
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from None

    def _count(self, each: Map) -> int:
        """How many penalties are summed."""
        if isinstance(each, Convolution):
            return 1 if self.form == "exact" else each.weight.shape[:2].numel()
        return each.weight.shape[:-2].numel()

    def _lambda(self, name: str) -> float | Tensor:
        if name in self._numbers:
            return self._numbers[name]
        buffer: Tensor = getattr(self, self._buffer(name))
        return buffer

    def _keep_lambda(self, name: str, value: float | Tensor) -> None:
        if isinstance(value, Tensor):
            self._numbers.pop(name, None)
            self.register_buffer(self._buffer(name), value.detach().clone(), persistent=False)
        else:
            self._numbers[name] = value

    def _buffer(self, name: str) -> str:
        return f"lambda_{self._names.index(name)}"

    def _weigh(self, name: str, change: Tensor) -> float | Tensor:
        """Lambda as a change is to be multiplied with it: its dimensions belong to the first ones of the change."""
        lambda_ = self._lambda(name)
        if not isinstance(lambda_, Tensor):
            return lambda_
        shape = tuple(change.shape)
        fitting = sorted({(), shape[:1], shape})
        if tuple(lambda_.shape) not in fitting:
            raise ValueError(
                f"layer {name!r} with entropy changes of shape {shape}: its lambda must be a number or a "
                f"tensor of shape {' or '.join(map(str, fitting))}, got shape {tuple(lambda_.shape)}"
            )
        return lambda_.to(change).reshape(lambda_.shape + (1,) * (change.ndim - lambda_.ndim))

    def _findings(self, *, refuse: bool) -> Iterator[Finding]:
        """Everything that can be wrong with the guidance is said before training; what cannot be is raised or found."""
        owners: dict[frozenset[int], str] = {}
        for name in self._names:
            try:
                with torch.enable_grad():
                    maps = self._maps(name)
                with torch.no_grad():
                    changes = [self._change(name, each) for each in maps]
                weights = [torch.as_tensor(self._weigh(name, change), device=change.device) for change in changes]
            except ValueError as error:
                if refuse:
                    raise
                yield Finding(name, "unusable", str(error))
                continue
            module, _ = find(self._model[0], name)
            for each, change, lambda_ in zip(maps, changes, weights, strict=True):
                if (first := owners.setdefault(behind(each, module), name)) != name:
                    message = f"layers {first!r} and {name!r} share a weight: it is penalised for each"
                    yield Finding(name, "shared", message)
                if not each.weight.requires_grad:
                    yield _without_gradient(name, each, module)
                if not change.is_meta and not isinstance(change, FakeTensor):
                    yield from self._findings_of_value(name, each, change[(lambda_ != 0).expand_as(change)])

    def _findings_of_value(self, name: str, each: Map, change: Tensor) -> Iterator[Finding]:
        if self.form == "reciprocal":
            log_epsilon = math.log(self.epsilon)
            if isinstance(each, Dense) and change.numel() and (largest := change.max().item()) < log_epsilon - FLAT:
                message = (
                    f"layer {name!r}: log|det W_sq| = {largest:.0f}, log epsilon = {log_epsilon:.0f}: its penalty is "
                    "the constant lambda / epsilon, and its gradient fades like |det W_sq| / epsilon^2; form='log' "
                    "keeps one"
                )
                yield Finding(name, "constant", message)
            return
        finite = self.form == "log" and isinstance(each, Convolution) and self.floor > 0
        if not finite and (infinite := int(change.isneginf().sum())):
            message = (
                f"layer {name!r}: {infinite} of {change.numel()} entropy changes are -inf (a weight of exactly 0, or a "
                "singular matrix): the penalty is infinite, without a gradient for them; form='reciprocal' is finite"
            )
            yield Finding(name, "infinite", message)

    def _watch_gradient(self, name: str, each: Map) -> None:
        """Warn once of a layer that was frozen since."""
        if torch.compiler.is_compiling() or each.weight.requires_grad or not torch.is_grad_enabled():
            return
        module, _ = find(self._model[0], name)
        self._warn(_without_gradient(name, each, module), stacklevel=5)

    def _watch_value(self, name: str, each: Map, change: Tensor) -> None:
        """Warn once of a penalty that became infinite or constant; on a GPU it would cost waiting: `check` tells."""
        if torch.compiler.is_compiling() or change.device.type != "cpu":
            return
        weighed = change.detach()[(torch.as_tensor(self._weigh(name, change)) != 0).expand_as(change)]
        for finding in self._findings_of_value(name, each, weighed):
            self._warn(finding, stacklevel=5)

    def _warn(self, finding: Finding, stacklevel: int) -> None:
        if (finding.layer, finding.problem) not in self._warned:
            self._warned.add((finding.layer, finding.problem))
            warnings.warn(finding.message, stacklevel=stacklevel)


def _without_gradient(name: str, each: Map, module: nn.Module) -> Finding:
    sources = behind(each, module)
    if any(parameter.requires_grad for parameter in module.parameters() if id(parameter) in sources):
        problem = "its weight carries no gradient to its parameters, though they are trained"
        return Finding(name, "no gradient", f"layer {name!r}: {problem}; its penalty is a constant")
    return Finding(name, "frozen", f"layer {name!r} is frozen: its penalty is a constant")


def _became_infinite(name: str) -> str:
    return (
        f"layer {name!r}: a guided weight is exactly 0: the penalty is infinite, without a gradient for it; a floor "
        "above 0, or form='reciprocal', is finite"
    )


@made_once
def _vector(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=dtype, device=device)


def _checked_lambda(name: str, lambda_: Any) -> float | Tensor:
    """A finite number, or a tensor of them; anything else raises ValueError."""
    if isinstance(lambda_, Tensor):
        if not lambda_.is_complex() and (lambda_.is_meta or lambda_.isfinite().all()):
            return lambda_
    elif math.isfinite(number := _real(lambda_)):
        return number
    raise ValueError(f"layer {name!r}: its lambda must be a finite number or a tensor of them, got {lambda_!r}")


def _checked_indices(name: str, indices: Any) -> list[int]:
    """Whole numbers, none twice; anything else raises ValueError."""
    try:
        numbers = [operator.index(index) for index in indices]
    except TypeError:
        raise ValueError(f"layer {name!r}: inputs must be a list of whole numbers, got {indices!r}") from None
    if len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise ValueError(f"layer {name!r}: inputs must differ, {twice} is given twice")
    return numbers


def _real(value: Any) -> float:
    """A number of Python or numpy; NaN for anything else, and for what is too large for a float."""
    try:
        return float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.nan
