"""The tables of a comparison, made once for the page and the terminal."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from xorjax.metric import Metric
from xorjax.results.best import best_of_each
from xorjax.results.caps import of_many, spread
from xorjax.results.compare import VALUES, Comparison, Difference, Pair, by_seed, difference
from xorjax.results.losses import EQUAL, heading
from xorjax.results.page import Cell, Column
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
    "sd: the sample standard deviation. Loss: against the reference of the same seed, ± its 95 % interval.",
    "common": "Means over seeds.",
}
WORDS = ("better", "worse", "equal", "within the spread", "one seed")


class Table(NamedTuple):
    """A table, reached by #name. The terminal shows `brief` rows, evenly spread."""

    name: str
    title: str
    columns: Sequence[Column]
    brief: int = 20

    @property
    def n_rows(self) -> int:
        return len(self.columns[0].cells) if self.columns else 0

    def some(self, n: int, what: str) -> tuple[list[Column], str]:
        """The columns with at most `n` rows, evenly spread, and what to say below them."""
        columns = [column._replace(cells=spread(column.cells, n)) for column in self.columns]
        return columns, f"{CAPTIONS.get(self.name, '')}{of_many(self.n_rows, n, what)}".strip()


def tables(comparison: Comparison) -> list[Table]:
    """All of them, in their order."""
    metric, pairs = comparison.metric, comparison.pairs
    groups = ({"all pairs": pairs} if pairs else {}) | comparison.by_axis
    axes = [
        Column("pairs with", [(name, "text wrap") for name in groups]),
        Column("pairs", [(str(len(of)), "") for of in groups.values()]),
        *_compared(list(groups.values()), metric, VALUES[:3]),
    ]
    common = [
        Column("setting", [(pair.name, "text wrap") for pair in pairs]),
        Column("seeds", [(pair.n_seeds, "") for pair in pairs]),
        *_compared([[pair] for pair in pairs], metric, VALUES[1:3], VALUES[::3]),
    ]
    title, best = _best(comparison)
    apart = _texts(("axis", "A", "B"), comparison.apart)
    return [
        Table("by-axis", "By axis", axes),
        *([Table("apart", "What keeps all settings apart", apart)] if apart else []),
        Table("verdicts", "How the pairs differ", _verdicts(pairs, metric) if pairs else []),
        Table("settings", "Settings that differ", _texts(("setting", "A", "B"), comparison.config)),
        Table("best", title, best, 60),
        Table("common", "Settings in common", common),
        *(
            Table(f"only-{side}", f"Only in {side} ({len(of)})", _texts(["setting"], zip(of), " wrap"), 3)
            for side, of in zip("AB", comparison.only, strict=True)
        ),
    ]


def shown(each: Difference, metric: Metric | None = None) -> str:
    """A difference, of the metric or of bits, with its spread; one that is clear and would read 0, by its magnitude."""
    scale, digits = (1.0, 4) if metric is None else (metric.scale, 2 if metric.unit == "%" else 4)
    value = scale * each.value
    is_tiny = EQUAL < abs(value) < 0.5 * 10.0**-digits and (each.is_clear or each.spread is None)
    style = "+.0e" if is_tiny else f"+z.{digits}f"
    spread = "" if each.spread is None else f" ± {scale * each.spread:.{digits}f}"
    return f"{value:{style}}{spread}" if each.is_clear else f"({value:{style}}{spread})"


def verdict(each: Difference, higher_is_better: bool = False) -> str:
    """What may be said of the second, one of `WORDS`."""
    better, worse, equal, within, unjudged = WORDS
    if each.is_clear:
        return better if (each.value > 0) == higher_is_better else worse
    return unjudged if each.spread is None else equal if abs(each.value) <= EQUAL else within


def _texts(headings: Sequence[str], rows: Iterable[Sequence[str]], wrap: str = "") -> list[Column]:
    """Columns of text, none without rows."""
    columns = zip(headings, zip(*rows, strict=True), strict=False)
    return [Column(heading, [(text, f"text{wrap}") for text in texts]) for heading, texts in columns]


def _measure(column: str, metric: Metric) -> tuple[str, Metric | None]:
    """The heading of one of `VALUES`; the metric if it is of that."""
    split = column.removesuffix("_metric")
    return (column.replace("_", " "), None) if split == column else (f"{split} {metric.label}", metric)


def _compared(
    groups: Sequence[Sequence[Pair]], metric: Metric, whole: Sequence[str], rest: Sequence[str] = ()
) -> list[Column]:
    """The difference of each of `VALUES` over the pairs of each group, and of the whole ones both means."""
    found = []
    for column in (*whole, *rest):
        name, of = _measure(column, metric)
        differences = [difference(pair.values[column] for pair in pairs) for pairs in groups]
        means = [(each.first, each.second) if each else (None, None) for each in differences]
        for side, values in zip("AB", zip(*means, strict=True), strict=False) if column in whole else ():
            texts = ("" if v is None else of.number(v) if of else f"{v:.4f}" for v in values)
            found.append(Column(side, [(text, "") for text in texts], name))
        found.append(Column("B - A", [_difference(each, of) for each in differences], name))
    return found


def _difference(each: Difference | None, metric: Metric | None) -> Cell:
    return ("", "") if each is None else (shown(each, metric), "strong" if each.is_clear else "quiet")


def _verdicts(pairs: Sequence[Pair], metric: Metric) -> list[Column]:
    # How a model is coded does not change its metric.
    by_models = list({pair.models: pair for pair in pairs}.values())
    names, found = [], []
    for column in VALUES[:3]:
        name, of = _measure(column, metric)
        known = [difference([pair.values[column]]) for pair in (by_models if of else pairs)]
        names.append((name, "text"))
        found.append([verdict(each, of is not None and of.higher_is_better) for each in known if each])
    counts = {word: [said.count(word) for said in found] for word in WORDS} | {"pairs": list(map(len, found))}
    return [Column("", names), *(Column(word, [(str(n), "") for n in of]) for word, of in counts.items())]


def _best(comparison: Comparison) -> tuple[str, list[Column]]:
    """A title, and for each prune rate the best point of A, that of B, and their difference where there are both."""
    metric, rows = comparison.metric, list[list[Cell]]()
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
            settings = [of_setting(of, b) for of, b in zip(comparison.points, both, strict=True) if b]
            values = {c: tuple(by_seed(of["seed"], of[c]) for of in settings) for c in VALUES}
            differences = _compared([[Pair("", {}, (), values)]], metric, (), VALUES[:3])
            lines.append([("B - A", "text"), *(of.cells[0] for of in differences), ("", ""), ("", "text")])
        rows += [[(f"{rate:g}", "strong"), *line] for line in lines]
    columns = [Column(name, cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)]
    return best_of_each([b for of in best for b in of.values()]), columns
