"""Entropy of a classifier's predictions: a penalty on confidence, calibration, ensembles, and a monitor of a training.

q = softmax(z) are the predicted probabilities of K classes. Entropies are in nats, between 0 and log K.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from entropy_guidance.checks import checked_finite, checked_labels, checked_number


def output_entropy(logits: Tensor) -> Tensor:
    """Entropy H(q) of the prediction of each row, in nats. Shape: (..., K) -> (...).

    A logit of -inf is a class without probability. Of one class the entropy is 0.

    Raises:
        ValueError: a logit is NaN or inf, or a row has no finite logit.
    """
    if logits.ndim == 0 or logits.shape[-1] == 0 or not logits.is_floating_point():
        raise ValueError(f"logits must be numbers (..., classes), got {logits.dtype} of shape {tuple(logits.shape)}")
    log_q = F.log_softmax(logits, -1)
    if not logits.is_meta and log_q.isnan().any():
        raise ValueError(
            "logits must be finite (or -inf, of a class that is ruled out): a row holds NaN, inf or only -inf"
        )
    return -(log_q.exp() * log_q.masked_fill(log_q.isneginf(), 0.0)).sum(-1)


class ConfidencePenalty(nn.Module):
    """Cross-entropy less lambda times the entropy of the predictions: confident predictions cost more.

    >>> loss = ConfidencePenalty(0.244)
    >>> round(loss(torch.zeros(2, 10), torch.tensor([3, 7])).item(), 4)  # (1 - 0.244) log 10
    1.7408

    A separable example has a finite optimum: all wrong classes equally likely, and a margin between the logits of
    1 / (lambda q_y), q_y being the right class's probability. So a lambda of 0.01 still allows a margin of 100 nats.
    `matched_smoothing` gives the label smoothing with the same optimum.

    Args:
        lambda_: nats of the loss a nat of entropy, 0 or more. 0 gives the cross-entropy, bit for bit.
        threshold: nats; with one, the loss is the cross-entropy plus lambda max(0, threshold - H): predictions that
            are less confident than that cost nothing.

    Shape: logits (B, K), labels (B,) -> (), the mean over the batch.

    Raises:
        ValueError: lambda or threshold is no finite number of at least 0; labels outside of 0 ... K - 1, an empty
            batch, logits that are not finite.
    """

    def __init__(self, lambda_: float, threshold: float | None = None) -> None:
        super().__init__()
        self.lambda_ = checked_number("lambda", lambda_, least=0)
        self.threshold = None if threshold is None else checked_number("threshold", threshold, least=0)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        rows, classes = _rows_and_classes("logits", logits)
        labels = checked_labels(labels, rows, classes)
        entropy = output_entropy(logits)
        cross_entropy = F.cross_entropy(logits, labels)
        if not self.lambda_:
            return cross_entropy
        if self.threshold is None:
            return cross_entropy - self.lambda_ * entropy.mean()
        return cross_entropy + self.lambda_ * (self.threshold - entropy).clamp(min=0).mean()

    def extra_repr(self) -> str:
        return f"lambda_={self.lambda_}, threshold={self.threshold}"


def matched_smoothing(lambda_: float, classes: int = 10) -> float:
    """The label smoothing whose optimum, of one separable example, is that of `ConfidencePenalty(lambda_)`.

    It is meant for `torch.nn.CrossEntropyLoss(label_smoothing=...)`, which spreads its share over all K classes. The
    penalty's margin is m = 1 / lambda + W((K - 1) exp(-1 / lambda) / lambda), with Lambert's W; smoothing has the
    margin log(K (1 - e) / e + 1), so e = K / (exp(m) + K - 1).

    >>> [round(matched_smoothing(lambda_), 3) for lambda_ in (0.199, 0.244, 0.328)]
    [0.05, 0.1, 0.2]

    Raises:
        ValueError: lambda is no finite number of at least 0, or classes are no whole number of two at least.
    """
    lambda_ = checked_number("lambda", lambda_, least=0)
    if not isinstance(classes, int) or classes < 2:
        raise ValueError(f"smoothing needs a whole number of classes, two at least; got {classes!r}")
    if not lambda_:
        return 0.0
    margin = 1 / lambda_ + _lambert_w((classes - 1) * math.exp(-1 / lambda_) / lambda_)
    odds = math.exp(-margin)
    return classes * odds / (1 + (classes - 1) * odds)


def _lambert_w(x: float) -> float:
    """w of w exp(w) = x, for x of at least 0, by Newton's method, which from log(1 + x) on comes from above."""
    w = math.log1p(x)
    for _ in range(50):
        step = (w - x * math.exp(-w)) / (1 + w)
        w -= step
        if abs(step) <= 1e-16 * w:
            break
    return w


class Reliability(NamedTuple):
    """Predictions in bins of equal width by their confidence; each field is (bins,), float64.

    Bins are closed below and open above, the last one closed. Empty bins have NaN as confidence and accuracy.
    """

    lower: Tensor
    upper: Tensor
    rows: Tensor  # how many
    confidence: Tensor  # mean probability of the predicted class
    accuracy: Tensor

    def expected_calibration_error(self) -> Tensor:
        """Mean distance of accuracy from confidence over the bins, by their rows: ()."""
        distance = (self.accuracy - self.confidence).abs().nan_to_num()
        return (self.rows * distance).sum() / self.rows.sum()


def reliability(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Reliability:
    """Confidence and accuracy of the predicted class, bin by bin: what a reliability diagram shows.

    Shape: probabilities (n, K), labels (n,).

    Raises:
        ValueError: rows that are no probabilities, labels outside of 0 ... K - 1, no rows, no bins.
    """
    q, labels = _checked_predictions(probabilities, labels)
    totals = _Bins(bins)
    totals.add(*_top(q, labels))
    return totals.table()


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Expected calibration error (ECE) of the predicted class, float64: see `reliability`. Shape: ().

    >>> q = torch.tensor([[0.9, 0.1], [0.9, 0.1], [1.0, 0.0], [1.0, 0.0]])
    >>> ece = expected_calibration_error(q, torch.tensor([0, 1, 0, 0]))  # half of the rows: accuracy 0.5, not 0.9
    >>> round(ece.item(), 3)
    0.2
    """
    return reliability(probabilities, labels, bins).expected_calibration_error()


def brier_score(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Mean squared distance of the probabilities from the one-hot label, between 0 and 2, float64. As `reliability`."""
    q, labels = _checked_predictions(probabilities, labels)
    return _brier(q, labels).mean()


def negative_log_likelihood(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Mean of -log q_y in nats, float64; inf where a label had probability 0. As `reliability`."""
    q, labels = _checked_predictions(probabilities, labels)
    return -q.gather(1, labels[:, None]).log().mean()


def mean_prediction(probabilities: Tensor) -> Tensor:
    """The ensemble's prediction: the mean over its members, float64. Shape: (members, ..., K) -> (..., K).

    Raises:
        ValueError: no members, or rows that are no probabilities.
    """
    return _checked_members(probabilities).mean(0)


def disagreement(probabilities: Tensor) -> Tensor:
    """Entropy of the ensemble's prediction less the members' mean entropy, in nats, one a row.

    It is the members' Jensen-Shannon divergence: 0 where all agree, at most min(log K, log members). The ensemble's
    entropy exceeds the *mean* of the members' entropies, not any one of them.
    Shape: (members, ..., K) -> (...). Raises as `mean_prediction`.
    """
    q = _checked_members(probabilities)
    return (_entropy(q.mean(0)) - _entropy(q).mean(0)).clamp(min=0)


def maximum_entropy(mean: float, support: Sequence[float] | Tensor) -> Tensor:
    """Of all laws on the support with this mean, the one with the largest entropy: p_i proportional to exp(t x_i).

    >>> maximum_entropy(3.5, range(1, 7)).tolist()[0] == maximum_entropy(3.5, range(1, 7)).tolist()[5]
    True

    Shape: support (n,) -> (n,), float64. At an end of the support all probability lies there.

    Raises:
        ValueError: an empty support, values that are not finite, a mean outside of the support.
    """
    x = support.double() if isinstance(support, Tensor) else torch.tensor(list(support), dtype=torch.float64)
    if x.ndim != 1 or not len(x) or not x.isfinite().all():
        raise ValueError(f"the support must be finite numbers in one row, and at least one; got {support!r}")
    low, high = x.min().item(), x.max().item()
    if not low <= (mean := checked_number("mean", mean)) <= high:
        raise ValueError(f"the mean must lie within the support, {low:g} to {high:g}; got {mean:g}")
    if mean in (low, high):
        return (x == mean).double() / (x == mean).sum()
    x = (x - mean) / (high - low)

    def law(t: float) -> Tensor:
        return torch.softmax(t * x, 0)

    def excess(t: float) -> float:  # of the mean, rising with t
        return float(law(t) @ x)

    least, most = -1.0, 1.0
    while excess(least) > 0:
        least *= 2
    while excess(most) < 0:
        most *= 2
    while least < (middle := (least + most) / 2) < most:
        least, most = (middle, most) if excess(middle) < 0 else (least, middle)
    return law(middle)


class OutputMonitor:
    """What a classifier's predictions look like, epoch by epoch: entropy, confidence, accuracy, NLL, Brier, ECE.

    >>> monitor = OutputMonitor()
    >>> for _ in range(2):  # batches
    ...     monitor.add(torch.zeros(5, 10), torch.arange(5))
    >>> row = monitor.end_epoch()
    >>> round(row["entropy"], 3), row["accuracy"]
    (2.303, 0.2)

    A steady fall of the entropy is growing confidence. Make one monitor a split of the data. Sums are kept in float64,
    on the logits' device; no batch is kept.

    Attributes:
        epochs: a row an ended epoch: n (images), entropy and nll (nats, means), confidence (mean probability of the
            predicted class), accuracy, brier, ece.
    """

    def __init__(self, bins: int = 15) -> None:
        self.bins = bins
        self.epochs: list[dict[str, float]] = []
        self._start()

    def _start(self) -> None:
        self._totals = _Bins(self.bins)
        self._sums: dict[str, Tensor] = {}

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Take in a batch. Shape: logits (B, K), labels (B,).

        Raises:
            ValueError: labels outside of 0 ... K - 1, an empty batch, logits that are not finite.
        """
        rows, classes = _rows_and_classes("logits", logits)
        labels = checked_labels(labels, rows, classes)
        z = checked_finite("logits", logits.detach()).double()
        q = torch.softmax(z, -1)
        confidence, right = _top(q, labels)
        self._totals.add(confidence, right)
        batch = {
            "entropy": output_entropy(z).sum(),
            "confidence": confidence.sum(),
            "accuracy": right.sum(),
            "nll": F.cross_entropy(z, labels, reduction="sum"),
            "brier": _brier(q, labels).sum(),
        }
        self._sums = {name: value + self._sums.get(name, 0) for name, value in batch.items()}

    def end_epoch(self) -> dict[str, float]:
        """The row of all batches since the last call; it is added to `epochs`.

        Raises:
            ValueError: there were no batches.
        """
        if not self._sums:
            raise ValueError("no batch was added since the last epoch ended")
        table = self._totals.table()
        n = int(table.rows.sum())
        row: dict[str, float] = {"n": n} | {name: float(total / n) for name, total in self._sums.items()}
        row["ece"] = table.expected_calibration_error().item()
        self.epochs.append(row)
        self._start()
        return row


class _Bins:
    """Counts, confidences and right answers, summed a bin."""

    def __init__(self, bins: int) -> None:
        if not isinstance(bins, int) or bins < 1:
            raise ValueError(f"bins must be a whole number of at least 1, got {bins!r}")
        self.edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
        self.sums: Tensor | float = 0.0

    def add(self, confidence: Tensor, right: Tensor) -> None:
        inner = self.edges[1:-1].to(confidence.device)
        bin_ = torch.bucketize(confidence, inner, right=True)  # right: an inner edge belongs to the bin above it
        rows = torch.stack([torch.ones_like(confidence), confidence, right], 1)
        self.sums = self.sums + rows.new_zeros(len(self.edges) - 1, 3).index_add_(0, bin_, rows)

    def table(self) -> Reliability:
        assert isinstance(self.sums, Tensor)
        count, confidence, right = self.sums.unbind(1)
        edges = self.edges.to(count.device)
        return Reliability(edges[:-1], edges[1:], count, confidence / count, right / count)


def _top(q: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of (n, K): the predicted class's probability, and 1 where it is the label, 0 elsewhere."""
    confidence, predicted = q.max(1)
    return confidence, (predicted == labels).to(q)


def _brier(q: Tensor, labels: Tensor) -> Tensor:
    wanted = torch.eye(q.shape[1]).to(q)[labels]
    distance: Tensor = (q - wanted).square().sum(1)
    return distance


def _entropy(q: Tensor) -> Tensor:
    entropies: Tensor = torch.special.entr(q)
    return entropies.sum(-1)


def _rows_and_classes(name: str, values: Tensor) -> tuple[int, int]:
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"{name} must be (rows, classes), got shape {tuple(values.shape)}")
    return values.shape[0], values.shape[1]


def _checked_probabilities(probabilities: Tensor) -> Tensor:
    """As float64. Sums may be off by what half precision rounds away."""
    q = checked_finite("probabilities", probabilities).double()
    if not q.is_meta and not ((q >= 0).all() and ((q.sum(-1) - 1).abs() <= 1e-2).all() and (q <= 1 + 1e-6).all()):
        raise ValueError("probabilities must be at least 0 and sum to 1 in each row: are these logits?")
    return q


def _checked_predictions(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    rows, classes = _rows_and_classes("probabilities", probabilities)
    return _checked_probabilities(probabilities), checked_labels(labels, rows, classes)


def _checked_members(probabilities: Tensor) -> Tensor:
    if probabilities.ndim < 2 or not probabilities.numel():
        raise ValueError(f"probabilities must be (members, ..., classes), got shape {tuple(probabilities.shape)}")
    return _checked_probabilities(probabilities)
