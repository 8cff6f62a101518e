"""The tables of a comparison, made once for the page and the terminal."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from xorjax.metric import Metric
from xorjax.results.best import best_of_each
from xorjax.results.compare import VALUES, Comparison, Difference, Pair, by_seed, difference
from xorjax.results.losses import EQUAL, heading
from xorjax.results.page import Cell
from xorjax.results.tables import of_setting, summarise_points

READING = (
    "B - A: the mean difference ± its 95 % interval (Student's t), seed by seed where both have two seeds or more in "
    "common, else over all seeds of each (Welch); in brackets where zero is in the interval, or one seed gives none. "
    "Differences of percentages are in percentage points. Bits are per weight, pruned ones included."
)
CAPTIONS = {
    "by-axis": "A pair: a setting of A and the one of B that is the same in all that was swept, but for what the two "
    "experiments differ in. A line is the mean over its pairs, for each seed first.",
    "verdicts": "Better: fewer bits, or a better metric on the test split, which counts once for all pairs of the same "
    "quantized networks. With many pairs expect one in twenty beyond its interval by chance.",
    "best": "Each side's smallest whose metric on the validation split is close to its reference's (* where none is), "
    "± the sample standard deviation. Loss: against the reference of the same seed, ± its 95 % interval.",
    "common": "Means over seeds.",
}
WORDS = ("better", "worse", "equal", "within the spread", "one seed")
Row = dict[str, Cell]
"""A cell of each column by its heading; of a column in a group, behind the group's heading and a line's end."""


class Table(NamedTuple):
    """A table, reached by #name. The terminal shows `brief` rows, evenly spread."""

    name: str
    title: str
    rows: Sequence[Row]
    brief: int = 20

    @property
    def caption(self) -> str:
        return CAPTIONS.get(self.name, "")


def tables(comparison: Comparison) -> list[Table]:
    """All of them, in their order."""
    metric, pairs = comparison.metric, comparison.pairs
    axes = [
        {"pairs with": (name, "text wrap"), "pairs": (str(len(of)), ""), **_compared(of, metric, VALUES[:3])}
        for name, of in (({"all pairs": pairs} if pairs else {}) | comparison.by_axis).items()
    ]
    common = [
        {"setting": (pair.name, "text wrap"), "seeds": (pair.n_seeds, "")}
        | _compared([pair], metric, VALUES[1:3], VALUES[::3])
        for pair in pairs
    ]
    title, best = _best(comparison)
    apart = _texts(("axis", "A", "B"), comparison.apart)
    return [
        Table("by-axis", "By axis", axes),
        *([Table("apart", "What keeps all settings apart", apart)] if apart else []),
        Table("verdicts", "Pairs that differ", _verdicts(pairs, metric)),
        Table("settings", "Settings that differ", _texts(("setting", "A", "B"), comparison.config)),
        Table("best", title, best, 60),
        Table("common", "Settings in common", common),
        *(
            Table(f"only-{side}", f"Only in {side} ({len(of)})", _texts(["setting"], zip(of)), 3)
            for side, of in zip("AB", comparison.only, strict=True)
        ),
    ]


def shown(each: Difference, metric: Metric | None = None) -> str:
    """A difference, of the metric or of bits, with its spread; one that would read 0 and is not, by its magnitude."""
    scale, digits = (1.0, 4) if metric is None else (metric.scale, 2 if metric.unit == "%" else 4)
    value = scale * each.value
    style = "+.0e" if EQUAL < abs(value) < 0.5 * 10.0**-digits else f"+.{digits}f"
    spread = "" if each.spread is None else f" ± {scale * each.spread:.{digits}f}"
    return f"{value:{style}}{spread}" if each.is_clear else f"({value:{style}}{spread})"


def verdict(each: Difference, higher_is_better: bool = False) -> str:
    """What may be said of the second, one of `WORDS`."""
    better, worse, equal, within, unjudged = WORDS
    if each.is_clear:
        return better if (each.value > 0) == higher_is_better else worse
    return unjudged if each.spread is None else equal if abs(each.value) <= EQUAL else within


def _texts(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Row]:
    return [dict(zip(headings, ((text, "text") for text in row), strict=True)) for row in rows]


def _measure(column: str, metric: Metric) -> tuple[str, Metric | None]:
    """The heading of one of `VALUES`; the metric if it is of that."""
    split = column.removesuffix("_metric")
    return (column.replace("_", " "), None) if split == column else (f"{split} {metric.label}", metric)


def _compared(pairs: Sequence[Pair], metric: Metric, whole: Sequence[str], rest: Sequence[str] = ()) -> Row:
    """The difference of each of `VALUES` over the pairs, and of the whole ones both means."""
    row = {}
    for column in (*whole, *rest):
        name, of = _measure(column, metric)
        each = difference(pair.values[column] for pair in pairs)
        if column in whole:
            means = (each.first, each.second) if each else ()
            texts = [of.number(mean) if of else f"{mean:.4f}" for mean in means] or ["", ""]
            row |= {f"{name}\n{side}": (text, "") for side, text in zip("AB", texts, strict=True)}
        row[f"{name}\nB - A"] = _difference(each, of)
    return row


def _difference(each: Difference | None, metric: Metric | None) -> Cell:
    return ("", "") if each is None else (shown(each, metric), "strong" if each.is_clear else "quiet")


def _verdicts(pairs: Sequence[Pair], metric: Metric) -> list[Row]:
    # How a model is coded does not change its metric.
    by_models = list({pair.models: pair for pair in pairs}.values())
    rows = []
    for column in VALUES[:3] if pairs else ():
        name, of = _measure(column, metric)
        known = [difference([pair.values[column]]) for pair in (by_models if of else pairs)]
        found = [verdict(each, of is not None and of.higher_is_better) for each in known if each]
        numbers = {word: found.count(word) for word in WORDS} | {"pairs": len(found)}
        rows.append({"": (name, "text")} | {word: (str(n), "") for word, n in numbers.items()})
    return rows


def _best(comparison: Comparison) -> tuple[str, list[Row]]:
    """A title, and for each prune rate the best point of A, that of B, and their difference where there are both."""
    metric, rows = comparison.metric, []
    best = [{best.prune_rate: best for best in summarise_points(of)} for of in comparison.points]
    sizes = (_measure(column, metric)[0] for column in VALUES[:3])
    names = ("S", "", *sizes, heading(metric), "coded as")
    for rate in sorted(best[0] | best[1]):
        both, lines = [of.get(rate) for of in best], []
        for side, b in zip("AB", both, strict=True):
            texts = (side, "none", "none", "none", "", "")
            if b:
                bits, coded_as = (
                    (f"{b.value_bits:.4f}", f"{b.bits_per_weight:.4f}"),
                    b.said.partition(", ")[2],
                )
                texts = (side, *bits, b.tested, b.loss.number(metric), coded_as)
            lines.append(list(zip(texts, ("text", "", "", "", "", "text wrap"), strict=True)))
        if all(both):
            settings = [of_setting(of, b.setting) for of, b in zip(comparison.points, both, strict=True) if b]
            values = {c: tuple(by_seed(of["seed"], of[c]) for of in settings) for c in VALUES}
            differences = _compared([Pair("", {}, (), values)], metric, (), VALUES[:3]).values()
            lines.append([("B - A", "text"), *differences, ("", ""), ("", "text")])
        rows += [dict(zip(names, [(f"{rate:g}", "strong"), *line], strict=True)) for line in lines]
    return best_of_each([b for of in best for b in of.values()]), rows
