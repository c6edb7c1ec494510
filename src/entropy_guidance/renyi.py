"""Matrix-based Rényi entropy and information of samples, from kernel matrices alone: no density is estimated.

A Gram matrix K of n images, positive semidefinite, becomes A_ij = K_ij / (n sqrt(K_ii K_jj)), of trace 1, with the
eigenvalues l: S = log2(sum l^alpha) / (1 - alpha), in bits, between 0 and log2 n. At alpha = 1 it is Shannon's formula,
at 2 it needs no eigenvalues. A joint entropy is that of the entrywise product. Everything is computed in float64.

Three things to know before reading values as information:

- They depend on the kernel's width, so strongly that untrained networks keep or break the data-processing inequality
  by the choice of the rule: report several widths (`Width`).
- No value exceeds log2 n: compare equal n alone, and set S / log2 n beside S. Where S is near log2 n, every pair of
  images is apart, and I(X; T) is S(X) whatever T is.
- I(X; X) = 2 S(X) - S(X, X) is S(X) only for a kernel of zeros and ones: K o K is the kernel of width / sqrt 2. And for
  alpha other than 1, mutual information can be negative: visibly at 2, at 1.01 below any use.
"""

import itertools
import math
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from entropy_guidance.checks import checked_finite, checked_number
from entropy_guidance.extras import extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

Rule = Literal["power", "neighbours", "median", "standardised", "silverman", "fixed"]

LEAST = 1e-300
ALPHA = 1.01  # stands for Shannon's entropy in the literature
NEAR_SHANNON = 0.5  # orders alpha so far from 1 and no farther
NEIGHBOURS = 10  # the point itself is one of them
ASYMMETRY, NEGATIVE, ROUNDING = 1e-6, 1e-6, 1e-15  # of matrices with ones on the diagonal


@dataclass(frozen=True)
class Width:
    """A rule for the width s of the kernel exp(-r^2 / (2 s^2)), of n images with d values each.

    Args:
        rule: with h the factor,
            `power`: h n^(-1 / (4 + d)), whatever the values are; with d in the hundreds it is the constant h;
            `neighbours`: h / sqrt 2 times the mean distance of the ten nearest points, the point itself among them;
            `median`: s^2 is h^2 / 2 times the median of r^2 over all pairs of different images;
            `standardised`: h sqrt(d) n^(-1 / (4 + d)) times the standard deviation of all values together;
            `silverman`: h (4 / (3 n))^(1 / 5) / sqrt 2 times the same deviation, a rule for d = 1;
            `fixed`: h.
        factor: h; the default is 5 for `power`, and 1 for the others.

    A width of 0, as a map has that is constant, tells equal images from others and no more.

    Raises:
        ValueError: an unknown rule, a factor that is not above 0; `fixed` without a factor.
    """

    rule: Rule = "median"
    factor: float | None = None

    def __post_init__(self) -> None:
        if self.rule not in get_args(Rule):
            raise ValueError(f"unknown rule {self.rule!r}: choose one of {', '.join(get_args(Rule))}")
        if self.factor is not None:
            checked_number("factor", self.factor, above=0)
        elif self.rule == "fixed":
            raise ValueError("a fixed width needs its factor: Width('fixed', 5.0)")

    def __str__(self) -> str:
        return f"{self.rule} {self.h:g}"

    @property
    def h(self) -> float:
        return self.factor if self.factor is not None else {"power": 5.0}.get(self.rule, 1.0)

    def of(self, values: Tensor, squares: Tensor) -> Tensor:
        """s, from values (..., n, d) and their squared distances (..., n, n). Shape: (...)."""
        n, d = values.shape[-2:]
        shrinking = n ** (-1 / (4 + d))
        if self.rule in ("power", "fixed"):
            return values.new_full(values.shape[:-2], self.h * (shrinking if self.rule == "power" else 1.0))
        if self.rule == "neighbours":
            nearest = squares.topk(min(NEIGHBOURS, n), largest=False).values.sqrt()
            return nearest.mean((-2, -1)).mul(self.h / math.sqrt(2))
        if self.rule == "median":
            if n == 1:
                return squares[..., 0, 0]
            apart = squares[..., *torch.tril_indices(n, n, -1, device=squares.device)]
            return _median(apart).div(2).sqrt().mul(self.h)
        deviation = values.flatten(-2).std(-1, correction=0)
        if self.rule == "standardised":
            return deviation.mul(self.h * math.sqrt(d) * shrinking)
        return deviation.mul(self.h * (4 / (3 * n)) ** 0.2 / math.sqrt(2))


def gram(values: Tensor, width: Width | None = None) -> Tensor:
    """Gaussian kernel of every two images. Shape: (..., n, d) -> (..., n, n), float64; leading dimensions are a stack.

    The default width is `Width("median")`. A layer's map is its d = H W values; see `map_grams`.

    Raises:
        ValueError: no images or no values, or values that are not finite.
    """
    if values.ndim < 2 or 0 in values.shape[-2:]:
        raise ValueError(f"values must be (..., images, values), at least one of each; got shape {tuple(values.shape)}")
    x = checked_finite("values", values).double()
    squares = _squared_distances(x)
    s = (width or Width()).of(x, squares)[..., None, None]
    # Where the width is 0 images are equal or not: 0 over the least number is 0, and all else is far.
    return squares.div(s.square().mul(-2).clamp(max=-LEAST)).exp()


def _median(values: Tensor) -> Tensor:
    """Of the last dimension: as `quantile` has it, without its sorting. Shape: (..., n) -> (...)."""
    n = values.shape[-1]
    middle = [values.kthvalue(rank, -1).values for rank in ((n + 1) // 2, n // 2 + 1)]
    return middle[0].add(middle[1]).div(2)


def _squared_distances(x: Tensor) -> Tensor:
    """(..., n, d) -> (..., n, n), by inner products; what cannot be told from rounding is 0, as of equal images."""
    eps = torch.finfo(x.dtype).eps
    rounded = x.shape[-1] * (4 * eps * x.abs().amax((-2, -1), keepdim=True)).square()
    x = x - x.mean(-2, keepdim=True)  # less is lost where images are close to each other
    products = x @ x.mT
    norms = products.diagonal(dim1=-2, dim2=-1)
    sums = norms[..., :, None] + norms[..., None, :]
    squares = torch.add(sums, products, alpha=-2)
    return squares.masked_fill_(squares <= sums.mul_(8 * eps).add_(rounded), 0.0)


def map_grams(activations: Tensor, width: Width | None = None) -> Tensor:
    """A Gram matrix a map. Shape: (n, C, ...) -> (C, n, n); of vectors (n, d) -> (1, n, n). As `gram`."""
    if activations.ndim < 2:
        raise ValueError(f"activations must be (images, maps, ...) or (images, values), got {tuple(activations.shape)}")
    if activations.ndim == 2:
        return gram(activations[None], width)
    return gram(activations.flatten(2).movedim(0, 1), width)


def delta_gram(labels: Tensor) -> Tensor:
    """The kernel 1 of equal labels and 0 of others: its entropy is the Rényi entropy of the labels' frequencies.

    Shape: (..., n) -> (..., n, n), float64.

    Raises:
        ValueError: no labels, or labels that are NaN.
    """
    labels = torch.as_tensor(labels)
    if labels.ndim < 1 or not labels.shape[-1] or labels.isnan().any():
        raise ValueError(f"labels must be (..., images), at least one and none of them NaN; got {tuple(labels.shape)}")
    return (labels[..., :, None] == labels[..., None, :]).double()


def joint_gram(*grams: Tensor) -> Tensor:
    """The entrywise product of Gram matrices (..., n, n), each with its diagonal made 1: the kernel of all together.

    Raises:
        ValueError: no matrices, or matrices of different sizes; as `entropy`.
    """
    if not grams or len({matrix.shape[-1:] for matrix in grams}) != 1:
        raise ValueError(f"a joint kernel needs matrices of one size, got {[tuple(matrix.shape) for matrix in grams]}")
    product = _unit_diagonal(grams[0])
    for matrix in grams[1:]:
        product = product * _unit_diagonal(matrix)
    return product


def entropy(gram: Tensor, alpha: float = ALPHA) -> Tensor:
    """S of any positive semidefinite matrix, in bits. Shape: (..., n, n) -> (...), float64.

    >>> entropy(torch.eye(8)).item(), round(entropy(torch.ones(8, 8)).item(), 9)
    (3.0, 0.0)

    The matrix is normalised by the roots of both diagonal entries, so that its scale does not matter. Gradients reach
    it through the eigenvalues; eigenvalues of 0, and what is no more than rounding of it, have none.

    Raises:
        ValueError: a matrix that is not square, not symmetric, not finite or not positive semidefinite (at alpha = 2
            the last is not looked at), a diagonal entry that is not above 0, alpha that is not above 0.
    """
    alpha = checked_number("alpha", alpha, above=0)
    unit = checked_finite("a Gram matrix", _unit_diagonal(gram))
    n = unit.shape[-1]
    if alpha == 2:
        return -(unit / n).square().sum((-2, -1)).log2()
    eigenvalues = torch.linalg.eigvalsh(unit)
    if not eigenvalues.is_meta and not (eigenvalues[..., 0] >= -NEGATIVE * n).all():
        raise ValueError(f"the matrix is not positive semidefinite: an eigenvalue is {eigenvalues.min().item():.3g}")
    positive = eigenvalues > ROUNDING * n
    shares = torch.where(positive, eigenvalues, 0.0)
    shares = shares / shares.sum(-1, keepdim=True)
    logs = torch.where(positive, shares, 1.0).log()
    if alpha == 1:
        return -(shares * logs).sum(-1) / math.log(2) + 0.0
    if abs(alpha - 1) > NEAR_SHANNON:
        powers = torch.where(positive, alpha * logs, -math.inf)
        return powers.logsumexp(-1) / ((1 - alpha) * math.log(2)) + 0.0
    # sum l^alpha = 1 + sum l (l^(alpha - 1) - 1), as sum l = 1: exact near alpha = 1, where 1 / (1 - alpha) is large.
    excess = (shares * torch.expm1((alpha - 1) * logs)).sum(-1)
    return excess.log1p() / ((1 - alpha) * math.log(2)) + 0.0


def joint_entropy(*grams: Tensor, alpha: float = ALPHA) -> Tensor:
    """S of several variables together, in bits: never below that of any of them. (..., n, n) each -> (...)."""
    return entropy(joint_gram(*grams), alpha)


def mutual_information(a: Tensor, b: Tensor, alpha: float = ALPHA) -> Tensor:
    """I(A; B) = S(A) + S(B) - S(A, B), in bits. Not negative at alpha = 1. (..., n, n) each -> (...)."""
    return entropy(a, alpha) + entropy(b, alpha) - joint_entropy(a, b, alpha=alpha)


def total_correlation(*grams: Tensor, alpha: float = ALPHA) -> Tensor:
    """The sum of the entropies less the joint one, in bits. (..., n, n) each -> (...)."""
    return torch.stack([entropy(matrix, alpha) for matrix in grams]).sum(0) - joint_entropy(*grams, alpha=alpha)


def redundancy_minus_synergy(x: Tensor, a: Tensor, b: Tensor, alpha: float = ALPHA) -> Tensor:
    """I(X; A) + I(X; B) - I(X; AB), in bits: what A and B both tell of X, less what only both together tell."""
    return _about(x, a, b, alpha)[0]


def unique_plus_synergy(x: Tensor, a: Tensor, b: Tensor, alpha: float = ALPHA) -> Tensor:
    """2 I(X; AB) - I(X; A) - I(X; B), in bits: what one of A and B alone tells, and twice the synergy.

    The parts (redundancy, both unique parts, synergy) are not identified by entropies; their two sums are.
    """
    return _about(x, a, b, alpha)[1]


def _about(x: Tensor, a: Tensor, b: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    alone = mutual_information(x, a, alpha) + mutual_information(x, b, alpha)
    both = mutual_information(x, joint_gram(a, b), alpha)
    return alone - both, 2 * both - alone


@dataclass(frozen=True)
class PairsOfMaps:
    """Means over pairs of maps, in bits, and what all maps tell of X together."""

    redundancy_minus_synergy: float
    unique_plus_synergy: float
    information: float
    pairs: int

    def shares(self) -> tuple[float, float]:
        """The two means as shares of the information of all maps; NaN where that is 0."""
        whole = self.information or math.nan
        return self.redundancy_minus_synergy / whole, self.unique_plus_synergy / whole


def pairs_of_maps(
    x: Tensor, maps: Tensor, alpha: float = ALPHA, *, most: int = 200, generator: torch.Generator | None = None
) -> PairsOfMaps:
    """Redundancy and synergy of the maps of a layer about X, over its pairs: all of them, or a draw of `most`.

    Shape: x (n, n), maps (C, n, n): see `map_grams`.

    Raises:
        ValueError: fewer than two maps; as `entropy`.
    """
    if maps.ndim != 3 or len(maps) < 2:
        raise ValueError(f"pairs need two maps at least, (maps, images, images); got shape {tuple(maps.shape)}")
    pairs = torch.tensor(list(itertools.combinations(range(len(maps)), 2)))
    if len(pairs) > most:
        pairs = pairs[torch.randperm(len(pairs), generator=generator)[:most]]
    units = _unit_diagonal(maps)
    alone = mutual_information(x, units, alpha)
    both = torch.stack([mutual_information(x, units[i] * units[j], alpha) for i, j in pairs.tolist()])
    each = alone[pairs.to(alone.device)].sum(1)
    whole = mutual_information(x, units.prod(0), alpha)
    return PairsOfMaps((each - both).mean().item(), (2 * both - each).mean().item(), whole.item(), len(pairs))


class InformationPlane:
    """What the layers of any torch model know of its input and of the labels, recorded while it trains.

    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    >>> plane = InformationPlane(model, ["1", "3"], width=Width("median"))
    >>> images, labels = torch.rand(20, 1, 8, 8), torch.arange(20) % 3
    >>> rows = plane.record(images, labels, epoch=0)  # call it again as training goes on
    >>> [row["layer"] for row in rows]
    ['1', '3']

    Maps of a layer (n, C, ...) have a kernel each, and their product is the layer's; channels of the input likewise.
    The model runs in evaluation mode, without gradients, and is left as it was found. Always record the same images.

    Args:
        layers: names of `model.named_modules()`, in the order of the plot's colours.
        width: of the kernels of input and layers. Labels are equal or not (`delta_gram`).

    Attributes:
        rows: a row a record and layer: epoch, layer, width, alpha, n, `entropy` S(T), `input_entropy` S(X),
            `label_entropy` S(Y), `about_input` I(X; T) and `about_labels` I(T; Y), in bits; and each of the five as a
            share of log2 n, under the same name with `_share`.

    Raises:
        ValueError: no layers, or names that the model does not have; when recording, fewer than two images, labels
            that are not one an image, a layer that did not run or more than once, values that are not finite.
    """

    def __init__(
        self, model: nn.Module, layers: Sequence[str], width: Width | None = None, alpha: float = ALPHA
    ) -> None:
        known = dict(model.named_modules())
        if unknown := [name for name in layers if name not in known]:
            raise ValueError(f"the model has no layers {', '.join(map(repr, unknown))}; it has {', '.join(known)}")
        if isinstance(layers, str) or not layers:
            raise ValueError(f"layers must be a list of names, at least one; got {layers!r}")
        self.model, self.layers, self.width = model, list(layers), width or Width()
        self.alpha = checked_number("alpha", alpha, above=0)
        self.rows: list[dict[str, Any]] = []

    @torch.no_grad()
    def record(self, images: Tensor, labels: Tensor, epoch: float) -> list[dict[str, Any]]:
        """Measure now; the rows are returned, and added to `rows`. Shape: images (n, ...), labels (n,)."""
        n = len(images)
        if n < 2 or tuple(labels.shape) != (n,):
            raise ValueError(f"needs two images at least and a label each, got {n} and labels {tuple(labels.shape)}")
        x, y = map_grams(images.reshape(n, 1) if images.ndim == 1 else images, self.width).prod(0), delta_gram(labels)
        about = {"epoch": epoch, "width": str(self.width), "alpha": self.alpha, "n": n}
        rows = []
        for name, activations in self._activations(images).items():
            try:
                t = map_grams(activations, self.width).prod(0)
            except ValueError as error:
                raise ValueError(f"layer {name!r}: {error}") from None
            bits = {"entropy": entropy(t, self.alpha), "input_entropy": entropy(x, self.alpha)}
            bits |= {"label_entropy": entropy(y, self.alpha), "about_input": mutual_information(x, t, self.alpha)}
            bits["about_labels"] = mutual_information(t, y, self.alpha)
            values = {key: value.item() for key, value in bits.items()}
            shares = {f"{key}_share": value / math.log2(n) for key, value in values.items()}
            rows.append(about | {"layer": name} | values | shares)
        self.rows.extend(rows)
        return rows

    def _activations(self, images: Tensor) -> dict[str, Tensor]:
        seen: dict[str, list[Any]] = {name: [] for name in self.layers}
        hooks = [
            self.model.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: seen[name].append(out))
            for name in self.layers
        ]
        try:
            with _evaluating(self.model):
                self.model(images)
        finally:
            for hook in hooks:
                hook.remove()
        for name, outputs in seen.items():
            if len(outputs) != 1:
                raise ValueError(f"layer {name!r} ran {len(outputs)} times in a forward pass; it must run once")
            if not isinstance(outputs[0], Tensor) or len(outputs[0]) != len(images):
                raise ValueError(f"layer {name!r} gives no tensor with a row for each of the {len(images)} images")
        return {name: outputs[0] for name, outputs in seen.items()}

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """I(X; T) against I(T; Y), a line a layer through its epochs, of which later ones have larger dots."""
        with extra("plot", "a figure of the information plane"):
            from matplotlib import pyplot as plt
        if not self.rows:
            raise ValueError("nothing was recorded yet")
        axes = axes or plt.subplots(figsize=(5, 4), layout="constrained")[1]
        for number, name in enumerate(self.layers):
            rows = [row for row in self.rows if row["layer"] == name]
            about_input, about_labels = ([row[key] for row in rows] for key in ("about_input", "about_labels"))
            axes.plot(about_input, about_labels, color=f"C{number}", alpha=0.4, zorder=1)
            sizes = [10 + 40 * (place + 1) / len(rows) for place in range(len(rows))]
            axes.scatter(about_input, about_labels, sizes, color=f"C{number}", label=name, zorder=2)
        n = self.rows[-1]["n"]
        axes.set(xlabel="I(X; T), bits", ylabel="I(T; Y), bits", title=f"{self.width}, n = {n}, later epochs larger")
        axes.legend(title="layer")
        return axes


@contextmanager
def _evaluating(model: nn.Module) -> "Iterator[None]":
    """The model in evaluation mode; afterwards each of its modules is in the mode that it was in."""
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, was in training:
            module.training = was


def _unit_diagonal(matrix: Tensor) -> Tensor:
    """The matrix in float64, symmetric, divided by the roots of both diagonal entries."""
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or not matrix.shape[-1]:
        raise ValueError(f"a Gram matrix must be (..., n, n), got shape {tuple(matrix.shape)}")
    if matrix.is_complex():
        raise ValueError(f"a Gram matrix must hold real numbers, got {matrix.dtype}")
    matrix = matrix.double()
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    if not matrix.is_meta and (diagonal <= 0).any():
        raise ValueError(f"a Gram matrix needs a diagonal above 0; an entry is {diagonal.min().item():.3g}")
    if matrix.is_meta or (diagonal != 1).any():
        roots = diagonal.rsqrt()
        matrix = matrix * roots[..., :, None] * roots[..., None, :]
    if matrix.is_meta or torch.equal(matrix, matrix.mT):
        return matrix
    skew = matrix - matrix.mT
    if not skew.amax() <= ASYMMETRY:  # NaN too
        checked_finite("a Gram matrix", matrix)
        raise ValueError("a Gram matrix must be symmetric")
    return matrix - skew / 2
