"""The figures of the codec's limits, as panels of lines: what `scripts/figures.py` and a notebook draw.

They are the paper's synthetic studies (CVPR 2020, arXiv 1905.10138) by its greedy patch search and its format, each
beside the same with the fewest patches that are possible and formats that know the mask, and with the bound 1 - S.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from xorjax.codec.predict import choose_n_out, predict_bits
from xorjax.studies.synthetic import Measured

PAPER, CARE, FLOOR = ("greedy", "paper"), ("minimum", "care"), ("minimum", "enumerative")
SCHEMES = (PAPER, ("greedy", "blocked"), ("minimum", "blocked"), CARE, FLOOR)
"""Methods and patch formats that `best_bits` compares."""
PATCH_FORMATS = {"greedy": ("paper", "blocked"), "minimum": ("paper", "blocked", "care", "enumerative")}
"""What a sweep must count for these figures, by method."""


@dataclass(frozen=True)
class Line:
    """One line of a panel.

    Attributes:
        group: decides the colour, such as "n_in 20"; None is drawn neutral.
        kind: what the line is; all lines of one kind have one style.
        style: "solid", "dashed", "dotted" or "points".
    """

    group: str | None
    kind: str
    style: str
    x: list[float]
    y: list[float]

    @property
    def name(self) -> str:
        return self.kind if self.group is None else f"{self.group}, {self.kind}"


@dataclass(frozen=True)
class Panel:
    """One pair of axes; panels that are to be compared have one `y_range`."""

    title: str
    x_title: str
    y_title: str
    y_range: tuple[float, float]
    lines: list[Line]


@dataclass(frozen=True)
class Study:
    """One figure: its panels stand in rows of `n_columns`, so that those to be compared are side by side."""

    title: str
    n_columns: int
    panels: Callable[[Sequence[Measured]], list[Panel]]


def best_bits(measured: Sequence[Measured]) -> list[Panel]:
    """The fewest value bits that any n_out gives, against n_in, and what `codec.predict` says of that n_out."""
    panels = []
    for rate, own in _by(measured, lambda m: m.prune_rate):
        lines = []
        for method, patch_format in SCHEMES:
            group = f"{method}, {patch_format}"
            bests = [best(of_n_in, method, patch_format) for _, of_n_in in _by(own, lambda m: m.n_in)]
            n_ins = [float(m[0].n_in) for m in bests]
            found = [_mean(m, lambda m, f=patch_format: m.value_bits(f)) for m in bests]
            lines.append(Line(group, "measured", "points", n_ins, found))
            lines.append(
                Line(group, "predicted", "solid", n_ins, [_predicted(m[0], patch_format) for m in bests])
            )
        lines.append(_bound(rate, min(lines[0].x), max(lines[0].x)))
        y_range = (0.95 * (1 - rate), 1.05 * max(value for line in lines for value in line.y))
        panels.append(Panel(f"S = {rate:g}", "n_in", "value bits per weight", y_range, lines))
    return panels


def value_bits(measured: Sequence[Measured]) -> list[Panel]:
    """Value bits against n_out, with patches counted and without."""
    panels = []
    for rate, own in _by(measured, lambda m: m.prune_rate):
        for method, patch_format in (PAPER, CARE, FLOOR):
            lines = [
                *_lines(
                    own, method, _n_out, lambda m, f=patch_format: m.value_bits(f), "with patches", "solid"
                ),
                *_lines(own, method, _n_out, lambda m: m.code_bits, "without patches", "dotted"),
                _bound(rate, *_ends(own)),
            ]
            title = f"S = {rate:g}: {method}, {patch_format}"
            y_range = (0.6 * (1 - rate), 2.3 * (1 - rate))
            panels.append(Panel(title, "n_out", "value bits per weight", y_range, lines))
    return panels


def patches(measured: Sequence[Measured]) -> list[Panel]:
    """Patches of a slice, and the share of care bits that need one, against the fill n_out (1 - S) / n_in."""
    quantities: tuple[tuple[str, float, Callable[[Measured], float]], ...] = (
        ("patches per slice", 5.0, lambda m: m.patches_per_slice),
        ("patches per care bit", 0.16, lambda m: m.patches_per_care_bit),
    )
    return [
        Panel(
            f"S = {rate:g}: {title}",
            "care bits of an average slice / n_in",
            title,
            (0.0, highest),
            [
                line
                for method, style in (("greedy", "dotted"), ("minimum", "solid"))
                for line in _lines(own, method, lambda m: m.fill, value, method, style)
            ],
        )
        for rate, own in _by(measured, lambda m: m.prune_rate)
        for title, highest, value in quantities
    ]


def patch_counts(measured: Sequence[Measured]) -> list[Panel]:
    """One width for all patch counts against a width for each block of slices, the paper's blocked n_patch."""
    panels = []
    for rate, own in _by(measured, lambda m: m.prune_rate):
        for method in ("greedy", "minimum"):
            lines = [
                *_lines(own, method, _n_out, lambda m: m.value_bits("paper"), "one width", "dotted"),
                *_lines(own, method, _n_out, lambda m: m.value_bits("blocked"), "a width a block", "solid"),
                _bound(rate, *_ends(own)),
            ]
            y_range = (0.95 * (1 - rate), 2.3 * (1 - rate))
            title = f"S = {rate:g}: {method} patches"
            panels.append(Panel(title, "n_out", "value bits per weight", y_range, lines))
    return panels


def best_n_out(measured: Sequence[Measured]) -> list[Panel]:
    """The n_out with the fewest value bits against 1 / (1 - S), and what `choose_n_out` says.

    The enumerative format has no best one within reach: its bits fall until the search for patches takes too long.
    """
    panels = []
    for method, patch_format in (PAPER, CARE):
        lines = []
        for _, own in _by(measured, lambda m: m.n_in):
            n_in = own[0].n_in
            group = f"n_in {n_in}"
            bests = [
                best(of_rate, method, patch_format)[0] for _, of_rate in _by(own, lambda m: m.prune_rate)
            ]
            x = [1 / (1 - m.prune_rate) for m in bests]
            chosen = [
                choose_n_out(n_in, m.prune_rate, method, patch_format, n_weights=m.n_slices * m.n_out)
                for m in bests
            ]
            lines += [
                Line(group, "measured", "points", x, [float(m.n_out) for m in bests]),
                Line(group, "predicted, a multiple of 32", "solid", x, [float(n_out) for n_out in chosen]),
                Line(group, "n_in / (1 - S)", "dotted", x, [n_in * value for value in x]),
            ]
        highest = 1.3 * max(m.n_in / (1 - m.prune_rate) for m in measured)
        title = f"{method}, {patch_format}"
        panels.append(Panel(title, "1 / (1 - S)", "best n_out", (0.0, highest), lines))
    return panels


STUDIES = {
    "best_bits": Study("The fewest value bits", 2, best_bits),
    "value_bits": Study("Value bits against n_out", 3, value_bits),
    "patches": Study("Patches", 2, patches),
    "patch_counts": Study("Patch counts: one width, or one for each block of 16 slices", 2, patch_counts),
    "best_n_out": Study("The best n_out", 2, best_n_out),
}
"""Every figure by its file name."""


def best(measured: Sequence[Measured], method: str, patch_format: str) -> list[Measured]:
    """Of one prune rate and n_in: all seeds at the n_out with the fewest value bits, means of the seeds."""
    shapes = [own for _, own in _by([m for m in measured if m.method == method], _n_out)]
    return min(shapes, key=lambda own: _mean(own, lambda m: m.value_bits(patch_format)))


def _predicted(m: Measured, patch_format: str) -> float:
    bits = predict_bits(m.n_in, m.n_out, m.prune_rate, m.method, patch_format, n_weights=m.n_slices * m.n_out)
    return sum(bits.values())


def _lines(
    measured: Sequence[Measured],
    method: str,
    x: Callable[[Measured], int | float],
    y: Callable[[Measured], float],
    kind: str,
    style: str,
) -> list[Line]:
    """A line for each n_in: means over the seeds."""
    lines = []
    for _, own in _by([m for m in measured if m.method == method], lambda m: m.n_in):
        points = [(float(x(same[0])), _mean(same, y)) for _, same in _by(own, _n_out)]
        lines.append(Line(f"n_in {own[0].n_in}", kind, style, [p[0] for p in points], [p[1] for p in points]))
    return lines


def _bound(rate: float, low: float, high: float) -> Line:
    return Line(None, "1 - S, the bound", "dashed", [low, high], [1 - rate] * 2)


def _ends(measured: Sequence[Measured]) -> tuple[float, float]:
    n_outs = [m.n_out for m in measured]
    return float(min(n_outs)), float(max(n_outs))


def _by(
    measured: Sequence[Measured], key: Callable[[Measured], int | float]
) -> list[tuple[int | float, list[Measured]]]:
    """Groups in the order of their keys."""
    return [(k, [m for m in measured if key(m) == k]) for k in sorted({key(m) for m in measured})]


def _mean(measured: Sequence[Measured], value: Callable[[Measured], int | float]) -> float:
    return fmean(value(m) for m in measured)


def _n_out(m: Measured) -> int:
    return m.n_out
