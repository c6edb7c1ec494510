"""Transfer entropy between series of symbols, and a feedback from it on a classifier's last layer.

T = sum over (i', i, j) of p(i', i, j) log2[p(i' | i, j) / p(i' | i)]: what the source's symbol j tells of the target's
next symbol i' beyond its present one i (histories of one symbol). Probabilities are plugged-in frequencies of the
transitions. Units are bits, and 0 <= T <= H(i' | i).

Of independent series T is not 0 on average: 2 N ln(2) T then follows a chi-square law (`null_probability`), so that T
of two binary series of N transitions is 1 / (N ln 2) bits in the mean.
"""

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from types import TracebackType
from typing import Literal, Self, get_args

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

Target = Literal["weights", "gradient"]
Placebo = Literal["permuted", "diagonal"]

SOURCE, SURE = 1.0, 0.9  # a logit of this size is the source's 1, a probability of this size the target's 1
LEAST = 1e-8  # bits; less counts as nothing
ROUNDING = 1e-12  # bits

Series = Sequence[int] | Tensor


def transfer_entropy(source: Series, target: Series) -> Tensor:
    """Transfer entropy of two series of symbols, in bits, float64. Shape: (N,), (N,) -> ().

    >>> source = [0, 1, 1, 1, 1, 0, 0, 0, 0]
    >>> round(transfer_entropy(source, [0, 0, 1, 1, 1, 1, 0, 0, 0]).item(), 6)
    0.811278

    A constant series gives exactly 0. Symbols are told apart and no more: which integers they are does not matter.

    Raises:
        ValueError: series of unequal lengths, of fewer than two symbols, or of real numbers, which have to be cut into
            symbols first.
    """
    (j, sources), (i, targets) = _symbols("source", source), _symbols("target", target)
    if len(j) != len(i):
        raise ValueError(f"source and target must be equally long, got {len(j)} and {len(i)} symbols")
    if len(i) < 2:
        raise ValueError(f"transfer entropy needs two symbols of each series at least, got {len(i)}")
    present, pairs = i[:-1], i[:-1] * sources + j[:-1]
    changes, cells = i[1:] * targets + present, i[1:] * targets * sources + pairs
    ratio = (_occurrences(cells) * _occurrences(present)) / (_occurrences(changes) * _occurrences(pairs))
    bits: Tensor = ratio.log2().mean()  # ratio: p(i'|i,j) / p(i'|i)
    return bits.clamp(min=0)


def _occurrences(symbols: Tensor) -> Tensor:
    """How often each symbol of a series occurs in it. Shape: (N,) -> (N,)."""
    _, kinds, counts = torch.unique(symbols, return_inverse=True, return_counts=True)
    occurrences: Tensor = counts[kinds]
    return occurrences.double()


def null_probability(bits: Tensor, transitions: int, *, sources: int = 2, targets: int = 2) -> Tensor:
    """How probable at least this transfer entropy is between independent series: p of a chi-square test, elementwise.

    The statistic is 2 N ln(2) T, twice the nats; its degrees of freedom are I (J - 1) (I - 1), with I symbols of the
    target and J of the source. Holds for many transitions and no rare symbols: these give less.

    Raises:
        ValueError: fewer than one transition, or fewer than two symbols.
    """
    if transitions < 1 or sources < 2 or targets < 2:
        raise ValueError(f"needs transitions and two symbols of each series, got {transitions}, {sources}, {targets}")
    freedom = targets * (sources - 1) * (targets - 1)
    nats = bits.double() * math.log(2)
    probability: Tensor = torch.special.gammaincc(torch.full_like(nats, freedom / 2), transitions * nats)
    return probability


class TransferCounter:
    """Counts of transitions between every source and every target, binary series both, as images come in.

    Counts over batches of any sizes are those over the whole series: the last symbols of a batch are kept.

    Args:
        window: count the last so many images alone; None counts all.

    Attributes:
        images: how many the counts are of.
        counts: (..., S, T, 2, 2, 2), float64: by source and target, then by the target's next symbol, its present one
            and the source's present one.

    Raises:
        ValueError: a window of fewer than two images.
    """

    def __init__(self, window: int | None = None) -> None:
        if window is not None and (not isinstance(window, int) or window < 2):
            raise ValueError(f"a window must be a whole number of images, two at least; got {window!r}")
        self.window = window
        self._places = lru_cache(maxsize=4)(_Places)  # of the shapes that come: few
        self.clear()

    def clear(self) -> None:
        """Start again, without any image."""
        self.images = 0
        self.counts = torch.zeros(())
        self._kept: Tensor | None = None  # symbols of the window's images, or of the last one

    def add(self, source: Tensor, target: Tensor) -> None:
        """Take in the next images, in their order. Shape: (..., S, B) and (..., T, B), booleans.

        Raises:
            ValueError: not booleans, or numbers of images that differ.
        """
        of_bits = source.dtype == target.dtype == torch.bool and source.ndim > 1 < target.ndim
        if not of_bits or _without_series(source) != _without_series(target):
            raise ValueError(
                f"source and target must be booleans (..., series, images), of the same images; got {source.dtype} "
                f"{tuple(source.shape)} and {target.dtype} {tuple(target.shape)}"
            )
        self.take(torch.cat((source, target), -2), source.shape[-2])

    def take(self, series: Tensor, sources: int) -> None:
        """`add` of sources and targets (..., S + T, B) that are known to be booleans of the same images."""
        images = series.shape[-1]
        if self._kept is None:
            counts = self._transitions(series, sources)
        else:
            border = self._kept.shape[-1] - 1  # the transition over the border is counted too
            series = torch.cat((self._kept, series), -1)
            counts = self._transitions(series[..., border:], sources).add_(self.counts)
        images += self.images
        leaving = 0 if self.window is None else max(0, images - self.window)
        if leaving:
            counts -= self._transitions(series[..., : leaving + 1], sources)
        self.images, self.counts = images - leaving, counts
        keeping = leaving if self.window is not None else series.shape[-1] - 1
        self._kept = series[..., keeping:] if keeping else series

    def _transitions(self, series: Tensor, sources: int) -> Tensor:
        return self._places(series.shape, sources, series.device).transitions(series)

    def bits(self) -> Tensor:
        """Transfer entropy from each source to each target: (..., S, T).

        Raises:
            ValueError: there were fewer than two images.
        """
        if self.images < 2:
            raise ValueError(f"transfer entropy needs two images at least, got {self.images}")
        return _binary_bits(self.counts, self.images - 1)


def _sums_over_cells() -> tuple[Tensor, Tensor]:
    """Of the 8 cells (i', i, j): which of them each of 18 marginal counts adds up (8, 18), and its sign in T (18,)."""
    cells = torch.tensor(list(itertools.product((0, 1), repeat=3)))
    columns, signs = [], []
    for kept, sign in (([0, 1, 2], 1), ([1], 1), ([1, 2], -1), ([0, 1], -1)):
        for symbols in itertools.product((0, 1), repeat=len(kept)):
            columns.append((cells[:, kept] == torch.tensor(symbols)).all(1))
            signs.append(sign)
    return torch.stack(columns, 1).double(), torch.tensor(signs).double()


_SUMS, _SIGNS = _sums_over_cells()


def _binary_bits(counts: Tensor, transitions: int) -> Tensor:
    """T in bits of each pair, by the sum over its marginal counts n: N T = sum of +- n log2 n. (..., 2, 2, 2) -> (...).

    The sum cancels to some 1e-14 bits where T is 0: that is cut off.
    """
    marginal = counts.view(-1, 8).mm(_SUMS.to(counts.device))
    nats = torch.xlogy(marginal, marginal).mv(_SIGNS.to(counts.device)).view(counts.shape[:-3])
    return torch.threshold(nats.div_(transitions * math.log(2)), ROUNDING, 0.0)


def _without_series(values: Tensor) -> tuple[int, ...]:
    return (*values.shape[:-2], *values.shape[-1:])


class _Places:
    """Where transitions within series (..., S + T, B) are counted: tensors that the next batch of the shape uses again,
    and their views, each of which would take as long as an addition.
    """

    def __init__(self, shape: torch.Size, sources: int, device: torch.device) -> None:
        *models, series, images = shape
        targets, transitions = series - sources, images - 1
        one_hot = torch.empty(
            *models, series, 2, images, device=device
        )  # float32: sums of ones are exact to 16,777,216
        self.zeros, self.ones = one_hot.unbind(-2)
        target = one_hot[..., sources:, :, :]
        self.next, self.present = target[..., 1:].unsqueeze(-2), target[..., :-1].unsqueeze(-3)
        self.changes = torch.empty(*models, targets, 2, 2, transitions, device=device)
        self.left = one_hot[..., :sources, :, :-1].flatten(-3, -2)
        self.right = self.changes.flatten(-4, -2).mT
        self.products = torch.empty(*models, 2 * sources, 4 * targets, device=device)
        self.counts = self.products.view(*models, sources, 2, targets, 2, 2).movedim(-4, -1)

    def transitions(self, series: Tensor) -> Tensor:
        """Counts (..., S, T, 2, 2, 2), float64, of booleans, sources first: one matrix product."""
        self.ones.copy_(series)
        torch.logical_not(series, out=self.zeros)
        torch.mul(self.next, self.present, out=self.changes)
        torch.matmul(self.left, self.right, out=self.products)
        return self.counts.to(torch.float64, memory_format=torch.contiguous_format)


class TransferEntropyFeedback:
    """Feedback of the transfer entropy from a classifier's logits to its predictions on its last layer's weights.

    The source's symbol is |logit| >= 1, the target's probability >= 0.9, of every class; the time axis is the order in
    which images come. Before the optimiser's step the weights W (K, F), or their gradient, become (I - V)^T W: row j
    loses the sum over i of V_ij W_i. V is the transfer entropy in bits from source i to target j over the last images
    at the window's first fill, and then its drop from one batch to the next: max(0, before - now).

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 10))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with TransferEntropyFeedback(model[1], window=64) as feedback:
    ...     for _ in range(4):  # batches of an epoch
    ...         loss = nn.functional.cross_entropy(model(torch.randn(32, 4, 4)), torch.randint(10, (32,)))
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         strength = feedback()
    ...         optimizer.step()
    >>> strength.shape
    torch.Size([10, 10])

    Each `with` is an epoch: it starts with an empty window. Forward passes in training mode are listened to, in their
    order, so that a batch may go through the model in parts. Images in shuffled order are independent draws: the true
    transfer entropy between them is 0, and what acts is the estimator's bias; compare with the placebos.

    Args:
        layer: the last layer: its output (..., B, K) are logits, its weight is (..., K, F). A stack of models has
            leading dimensions, the same in both.
        target: what is changed.
        window: images.
        pairs: the share of the K x K pairs that act, drawn once.
        placebo: `permuted` counts the source's symbols in another order within each batch; `diagonal` puts the mean of
            V over all pairs on its diagonal, and 0 elsewhere.
        seed: of the draw of pairs and of the permutations.

    Raises:
        ValueError: a layer without a matrix of weights, an unknown target or placebo, a window of fewer than two
            images, a share outside of (0, 1]; at a call: no forward pass since the last one, logits that are not finite
            or do not fit the weight, no gradient; at the end of an epoch: fewer images than the window.
    """

    def __init__(
        self,
        layer: nn.Module,
        target: Target = "weights",
        window: int = 512,
        pairs: float = 1.0,
        *,
        placebo: Placebo | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(weight := getattr(layer, "weight", None), Tensor) or weight.ndim < 2:
            raise ValueError(f"{type(layer).__name__} has no matrix of weights that feedback could change")
        if target not in get_args(Target):
            raise ValueError(f"unknown target {target!r}: choose one of {', '.join(get_args(Target))}")
        if placebo not in (None, *get_args(Placebo)):
            raise ValueError(f"unknown placebo {placebo!r}: choose None or one of {', '.join(get_args(Placebo))}")
        if not 0 < pairs <= 1:
            raise ValueError(f"pairs must be a share above 0 and at most 1, got {pairs!r}")
        self.layer, self.target, self.window, self.placebo = layer, target, window, placebo
        self.counter = TransferCounter(window)
        self._generator = torch.Generator().manual_seed(seed)
        self._acting = _drawn(weight.shape[-2], pairs, self._generator)
        self._before: Tensor | None = None
        self._logits: list[Tensor] = []
        self._hook: RemovableHandle | None = None
        self._seen = 0
        self._compared = lru_cache(maxsize=4)(_to_compare)

    def __enter__(self) -> Self:
        self.counter.clear()
        self._before, self._seen = None, 0
        self._logits.clear()
        self._hook = self.layer.register_forward_hook(self._listen)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        assert self._hook is not None
        self._hook.remove()
        if kind is None and self._seen < self.window:
            raise ValueError(f"the window of {self.window} images was never full: only {self._seen} came")

    def _listen(self, module: nn.Module, _: object, logits: Tensor) -> None:
        if module.training:
            self._logits.append(logits.detach())

    def __call__(self) -> Tensor | None:
        """Count the batch and act; call it between `backward` and the optimiser's step.

        Returns: V (..., K, K), of the pairs that act; None while the window is not full.
        """
        if not self._logits:
            raise ValueError("the layer has not run in training mode since the last call: use it inside of `with`")
        logits = torch.cat(self._logits, -2) if len(self._logits) > 1 else self._logits[0]
        self._logits.clear()
        weight: Tensor = self.layer.weight  # type: ignore[assignment]
        if logits.shape[-1] != weight.shape[-2] or logits.shape[:-2] != weight.shape[:-2]:
            raise ValueError(f"logits {tuple(logits.shape)} do not fit the weight {tuple(weight.shape)}")
        if not logits.is_meta and not math.isfinite(logits.sum().item()):
            raise ValueError("logits must be finite: the sum of these is not")
        acted_on = weight if self.target == "weights" else weight.grad
        if acted_on is None:
            raise ValueError("the weight has no gradient: call the feedback after backward")
        self.counter.take(self._symbols_of(logits), logits.shape[-1])
        self._seen += logits.shape[-2]
        if self._seen < self.window:
            return None
        now = self.counter.bits()
        strength = now if self._before is None else self._before - now
        self._before = now
        strength = torch.threshold(strength, LEAST, 0.0)
        if self._acting is not None:
            strength = strength * self._acting.to(strength)
        if self.placebo == "diagonal":
            strength = strength.mean((-2, -1), keepdim=True) * torch.eye(
                strength.shape[-1], dtype=strength.dtype, device=strength.device
            )
        changed = acted_on.detach()
        changed.sub_(strength.mT.to(changed) @ changed)
        return strength

    def _symbols_of(self, logits: Tensor) -> Tensor:
        """Of source and target, booleans. Shape: (..., B, K) -> (..., 2 K, B): along the images torch is faster."""
        series = logits.mT.contiguous()
        both, sizes, confidences, thresholds = self._compared(series.shape, series.dtype, series.device)
        torch.abs(series, out=sizes)
        torch.softmax(series, -2, out=confidences)
        symbols: Tensor = both >= thresholds
        if self.placebo == "permuted":
            order = torch.randperm(series.shape[-1], generator=self._generator).to(series.device)
            sources = series.shape[-2]
            symbols[..., :sources, :] = symbols[..., :sources, order]
        return symbols


def _to_compare(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Room for what symbols are told from (..., 2 K, B), its two halves, and what each row is compared with."""
    *models, classes, images = shape
    both = torch.empty(*models, 2 * classes, images, dtype=dtype, device=device)
    thresholds = torch.tensor((SOURCE, SURE), dtype=dtype, device=device).repeat_interleave(classes)[:, None]
    return both, both[..., :classes, :], both[..., classes:, :], thresholds


def _drawn(classes: int, share: float, generator: torch.Generator) -> Tensor | None:
    """(K, K) ones at a share of the pairs, one pair at least; None for all."""
    if share == 1:
        return None
    order = torch.randperm(classes * classes, generator=generator)
    return (order < max(1, round(share * classes * classes))).double().reshape(classes, classes)


def _symbols(name: str, series: Series) -> tuple[Tensor, int]:
    """The symbols' numbers from 0 on, and how many there are."""
    values = torch.as_tensor(series)
    if values.ndim != 1 or values.is_floating_point() or values.is_complex():
        raise ValueError(
            f"the {name} must be a series of symbols, integers or booleans, got {values.dtype} of shape "
            f"{tuple(values.shape)}"
        )
    kinds, numbers = torch.unique(values, return_inverse=True)
    return numbers, len(kinds)
