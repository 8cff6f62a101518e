"""A comparison of two experiments for the terminal."""

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from xorjax.metric import Metric
from xorjax.results.best import best_of_each
from xorjax.results.caps import of_many, spread
from xorjax.results.compare import Comparison, Difference, best_pair, shown, summed_up
from xorjax.results.losses import heading
from xorjax.results.page import count

ROWS = 20
"""Lines of a table; the page has the others."""
READING = (
    "B - A: ± its 95 % interval, seed by seed where both have two or more in common; in brackets where it is "
    "not larger than that, or where there is one seed. Losses are paired by seed, ± their 95 % "
    "interval. Bits are per weight, {values}."
)


def comparison_table(comparison: Comparison) -> RenderableType:
    """What differs, the best points side by side, the settings in common, and those that one side has alone."""
    first, second = comparison.sides
    metric = comparison.metric
    values = (
        "accuracies in percent, their differences in percentage points"
        if metric.name == "accuracy"
        else f"test is the {metric.label}"
    )
    parts: list[RenderableType] = [Text(f"A: {first.name}\nB: {second.name}\n{summed_up(comparison)}\n")]
    parts += [_config(comparison), _best(comparison), _losses(comparison)]
    if comparison.pairs:
        parts.append(_pairs(comparison))
    parts.append(Text(READING.format(values=values), style="dim"))
    for letter, settings in zip("AB", comparison.only, strict=True):
        if settings:
            more = f" and {len(settings) - 3:,} more" if len(settings) > 3 else ""
            parts.append(
                Text(f"Only in {letter}, {count(len(settings), 'setting')}: {'; '.join(settings[:3])}{more}.")
            )
    return Group(*parts)


def _table(title: str, texts: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False, collapse_padding=True)
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _config(comparison: Comparison) -> RenderableType:
    if not comparison.config:
        return Text("No setting differs.\n")
    table = _table("Settings that differ", ("setting", "A", "B"), ())
    for row in comparison.config:
        table.add_row(*row)
    return table


def _best(comparison: Comparison) -> RenderableType:
    columns = ("bits A", "bits B", "B - A", "test A", "test B", "B - A")
    table = _table(best_of_each([b for side in comparison.sides for b in side.summary]), (), ("S", *columns))
    for rate in spread(comparison.rates, ROWS):
        *both, pair = best_pair(comparison.sides, rate)
        bits = [f"{best.bits_per_weight:.4f}" if best else "none" for best in both]
        tested = [best.metric.number(best.test_metric) if best else "none" for best in both]
        differences = [_said(pair and pair.bits), _said(pair and pair.test, comparison.metric)]
        table.add_row(f"{rate:g}", *bits, differences[0], *tested, differences[1])
    return table


def _losses(comparison: Comparison) -> RenderableType:
    columns = (f"{heading(comparison.metric)} {letter}" for letter in "AB")
    table = _table("What these lose against their references", (), ("S", *columns))
    for rate in spread(comparison.rates, ROWS):
        *both, _ = best_pair(comparison.sides, rate)
        table.add_row(f"{rate:g}", *(best.loss.number(best.metric) if best else "none" for best in both))
    return table


def _pairs(comparison: Comparison) -> RenderableType:
    table = _table("Settings in common", ("setting",), ("bits A", "bits, B - A", "test A", "test, B - A"))
    pairs = spread(comparison.pairs, ROWS)
    for pair in pairs:
        bits, test = pair.bits, pair.test
        firsts = (f"{bits.first:.4f}" if bits else "", comparison.metric.number(test.first) if test else "")
        table.add_row(pair.name, firsts[0], _said(bits), firsts[1], _said(test, comparison.metric))
    more = of_many(len(comparison.pairs), len(pairs), "settings; the page has all").strip()
    return Group(table, Text(more, style="dim")) if more else table


def _said(each: Difference | None, metric: Metric | None = None) -> str:
    if each is None:
        return ""
    text = shown(each, metric)
    return text if each.is_clear else f"({text})"
