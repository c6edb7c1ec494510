"""The report's section on the theory: Figure 2, and the formulas beside exact changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from replication.core.family import Part
from replication.core.findings import Findings
from replication.report import figures
from replication.report.drawing import later
from replication.report.section import FigureEntry, Section, TableEntry, write_table
from replication.theory.report import figures as theory_figures
from replication.theory.statistics import claims

ABOUT = """\
The formulas are exact for the *completed* maps. A wide layer's completed map returns the output together with the
inputs that it keeps: its number is H(output) - H(input) + H(kept inputs given the output), and the layer itself drops
the last term. For a wide layer H(output) - H(input) depends on the law of the input, its scale included: no function of
the weights alone gives it. For white Gaussian input it is 1/2 log det(W W^T) less log(2 pi e)/2 for each lost
dimension. By Cauchy and Binet det(W W^T) is the sum of the squares of all the determinants from which the completion
picks one: for a dense layer, or one channel without padding, the formula can only be below 1/2 log det(W W^T); above or
below H(output) - H(input), as the scale of the input has it (plain_gap below is for deviation 1). A square layer needs
no completion, and log|det| is exact for every input: the dense formula then holds, the convolutional one only where the
matrix is triangular with c11 on its diagonal, that is for one channel with zeros below and to the right (causal)."""


def sections(parts: Sequence[Part], findings: Mapping[str, Findings], folder: Path, _note: str) -> list[Section]:
    """Write the section's figures and tables under `folder` and describe them. No data set enters."""
    (study,) = parts
    found = findings[study.name]
    command = f"`python -m replication theory --scale {study.scale}`"
    title, figure2 = "Theory: what the entropy formulas compute", _figure2(folder)
    if found.table("layers").empty:
        return [Section(title, f"Not tested: {command} has not run.", figures=[figure2])]
    writer = _Writer(found, folder, f"Made by {command}.")
    counts = found.metrics
    section = Section(
        title,
        f"{counts['layers']} random layers, {counts['witness']} small cases with a nearest-neighbour estimate and "
        f"{counts['filters']} filters, drawn anew by {command}: no data set enters.\n\n{ABOUT}",
        figures=[figure2, writer.figure()],
        tables=[writer.classes(), writer.completions(), writer.witness(), writer.filters(), writer.ranking()],
    )
    return [section]


def _figure2(folder: Path) -> FigureEntry:
    caption = (
        "The log form (eqs. 43, 45) and the modified one, read as a reciprocal (eqs. 46, 47), as the library computes "
        "them, lambda = 1. (a), (b): epsilon large enough to be seen, as in the paper. (c), (d): down to the epsilon "
        "of the runs. As the paper says, the modified form is bounded, of the other sign beyond |x| = 1, and the "
        "steeper one near 0; that holds for epsilon below 1/4 and down to |x| near epsilon^2. What reaches the weights "
        "is (d) times W^-T or 1/c11: constant for the log form, and for the modified form |x|/(|x| + epsilon)^2, which "
        "vanishes for determinants far below epsilon."
    )
    return FigureEntry(
        "Figure 2: both forms of the loss",
        figures.save(later(theory_figures.losses), folder, "figure2-losses"),
        caption,
    )


@dataclass(frozen=True)
class _Writer:
    found: Findings
    folder: Path
    made_by: str

    def figure(self) -> FigureEntry:
        layers, filters = self.found.table("layers"), self.found.table("random-filters")
        path = figures.save(later(theory_figures.formulas, layers, filters), self.folder, "theory-formulas")
        caption = (
            f"{len(layers)} layers; the line is equality. Exact: 1/2 log det(W W^T) or, for more outputs than "
            "inputs, 1/2 log det(W^T W), without the constant of lost dimensions. (c): the first "
            f"{theory_figures.DRAWN_FILTERS} random filters; a grey line joins the four formulas of one layer."
        )
        return FigureEntry("The formulas against the exact changes", path, caption)

    def classes(self) -> TableEntry:
        note = (
            "n random shapes a class, Glorot-normal weights. determinant_error: largest relative error of the "
            "completed matrix's log-determinant against the formula, not below 1e-10; empty where the paper completes "
            "no matrix. Dense maps by LU in float64, convolutions in exact fractions. Then means in nats: formula; the "
            "exact change without the constant of lost dimensions and within the range of the layer; gap, the formula "
            "minus that, with its smallest and largest value; plain_gap, the formula minus H(output) - H(input), "
            "infinite where the output lies in a subspace. agrees: "
            f"within {claims.TOLERANCE:g} nats in every shape, in one of the two readings. Three things changed "
            "after a first look. Fractions took the place of LU for convolutions: it lost some ill-conditioned "
            "determinants, and by the letter of the rule the verdict was not reproduced. Padding same has 3 x 3 "
            "filters only, whose matrices float64 can handle. The causal class is new, in the formula's favour."
        )
        return self.write("classes", "Formula and exact change by class of layer", note)

    def completions(self) -> TableEntry:
        note = (
            "Difference in nats between the largest and the smallest formula of one layer, over its completions: first "
            "or last columns (rows) of a dense layer, four corners of a filter. n layers."
        )
        return self.write("completions", "Other completions of the same layers", note)

    def witness(self) -> TableEntry:
        note = (
            "H(output) - H(input) in nats for Gaussian inputs of three laws: closed form, and Kozachenko-Leonenko "
            "estimate with its standard error over repeated samples; for more outputs than inputs within the "
            "subspace of the output. exact: 1/2 log det of the Gram matrix. The weights are the same for the three "
            "laws of a shape: where the layer has fewer outputs than inputs its change is not a number of the weights."
        )
        return self.write("witness", "An independent witness in few dimensions", note)

    def filters(self) -> TableEntry:
        note = (
            "Well-known 3 x 3 filters without padding on an image of 8 x 8, nats per output pixel: the exact change, "
            "the formula with each corner, and for comparison the log of the central weight and of the filter's "
            "root mean square."
        )
        return self.write("filters", "Well-known filters", note)

    def ranking(self) -> TableEntry:
        note = (
            "Random 3 x 3 filters, one channel, image 8 x 8, nats per output pixel: Spearman's rank correlation of "
            "each measure with the exact change. rms: root mean square of the filter's nine weights."
        )
        return self.write("ranking", "Does the corner tell which layer keeps more entropy?", note)

    def write(self, name: str, title: str, note: str) -> TableEntry:
        return write_table(self.folder, f"theory-{name}", title, self.found.table(name), f"{note} {self.made_by}")
