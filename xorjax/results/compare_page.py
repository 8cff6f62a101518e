"""A comparison of two experiments as one self-contained page."""

from html import escape
from pathlib import Path

from xorjax.files import replacing
from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.best import Best, best_of_each
from xorjax.results.caps import of_many
from xorjax.results.compare import (
    SIZES,
    Comparison,
    Difference,
    Pair,
    best_pair,
    shown,
    summed_up,
    verdict,
)
from xorjax.results.figures import panels
from xorjax.results.losses import heading
from xorjax.results.page import Cell, count
from xorjax.results.palette import BLUE, ORANGE

SHOWN = 1000
"""Settings in a table of the page."""
SPREAD = (
    "with 95 % intervals, seed by seed where both have two or more in common, and in grey where they are not "
    "larger than that."
)


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the page; nothing is asked for outside."""
    from plotly.offline import get_plotlyjs

    names = [side.name for side in comparison.sides]
    body = "\n".join(
        (
            f"<header>\n<h1>{escape(names[0])} and {escape(names[1])}</h1>",
            page.paragraph(summed_up(comparison), "lead"),
            page.settings_table({side.name: side.command for side in comparison.sides}),
            "</header>",
            _config(comparison),
            _best(comparison),
            _fronts(comparison),
            _pairs(comparison),
            _only(comparison),
        )
    )
    document = page.document(
        f"{names[0]} and {names[1]}: xorjax", body, [get_plotlyjs(), page.resource("plots.js")]
    )
    # Not `write_text`: a directory that is not there is a mistyped one.
    with replacing(path) as temporary:
        temporary.write_text(document, encoding="utf-8")


def _config(comparison: Comparison) -> str:
    rows = [[(text, "text") for text in row] for row in comparison.config]
    headings = ["setting", *(side.name for side in comparison.sides)]
    content = page.table(headings, rows, label="settings that differ") if rows else page.paragraph("None.")
    return page.section("settings", "Settings that differ", content)


def _best(comparison: Comparison) -> str:
    metric = comparison.metric
    unit = f" ({metric.unit})" if metric.unit else ""
    points = " (pp)" if metric.unit == "%" else ""
    of_side = ("setting", "bits", f"test{unit}", heading(metric))
    headings = ["S", *of_side * 2, "bits, difference", f"test, difference{points}"]
    names = [side.name for side in comparison.sides]
    rows = []
    for rate in comparison.rates:
        *both, pair = best_pair(comparison.sides, rate)
        cells = [(f"{rate:g}", "strong"), *(cell for best in both for cell in _of_best(best))]
        cells += [_difference(pair and pair.bits), _difference(pair and pair.test, metric)]
        rows.append(cells)
    return page.section(
        "best",
        best_of_each([best for side in comparison.sides for best in side.summary]),
        page.table(
            headings, rows, {"": 1, **dict.fromkeys(names, len(of_side)), " ": 2}, label="best points"
        ),
        page.paragraph(
            f"Each side's own best, the smallest whose validation {metric.name} is close to its reference's (* "
            f"where none is), {metric.plural} ± the sample standard deviation, losses against the reference of the "
            "same seed ± their 95 % interval (Student's t). Differences: the second less the first, "
            f"{SPREAD}",
            "caption",
        ),
    )


def _of_best(best: Best | None) -> list[Cell]:
    if best is None:
        return [("none", "text"), ("", ""), ("", ""), ("", "")]
    # The rate stands before it.
    setting = best.said.partition(", ")[2]
    return [
        (setting, "text wrap"),
        (f"{best.bits_per_weight:.4f}", ""),
        (best.tested, ""),
        (best.loss.number(best.metric), ""),
    ]


def _difference(each: Difference | None, metric: Metric | None = None) -> Cell:
    """Of the metric, or else of bits."""
    return ("", "") if each is None else (shown(each, metric), "strong" if each.is_clear else "quiet")


def _fronts(comparison: Comparison) -> str:
    from xorjax.results.compare_figures import front_panels

    name = comparison.metric.name
    marks = dict(zip((side.name for side in comparison.sides), (BLUE, ORANGE), strict=True))
    return page.section(
        "fronts",
        f"Bits against {name}",
        page.legend(
            {
                **marks,
                f"front by validation {name}": "solid",
                "on that front": ("◎", "var(--ink)"),
            }
        ),
        panels(f"Bits against {name}", front_panels(comparison)),
        page.paragraph(
            "A marker is one setting, the mean over its seeds. The fronts are of those that no other setting of their "
            f"side beats in bits and validation {name}; over test {name}, which chooses nothing, the same settings "
            "have a ring.",
            "caption",
        ),
    )


def _pairs(comparison: Comparison) -> str:
    pairs = comparison.pairs[:SHOWN]
    if not pairs:
        return page.section("common", "Settings in common", page.paragraph("None."))
    names = [side.name for side in comparison.sides]
    headings = ["setting", "seeds", *["first", "second", "difference", ""] * 2, "difference", ""]
    label = comparison.metric.label
    groups = {"": 2, "bits per weight": 4, f"test {label}": 4, f"validation {label}": 2}
    more = of_many(len(comparison.pairs), len(pairs), "settings")
    return page.section(
        "common",
        "Settings in common",
        page.table(
            headings, [_of_pair(pair, comparison) for pair in pairs], groups, label="settings in common"
        ),
        page.paragraph(
            f"First: {names[0]}, second: {names[1]}, means over seeds. Differences are the second less the first, "
            f"{'those of percents in percentage points, ' if comparison.metric.unit == '%' else ''}{SPREAD}{more}",
            "caption",
        ),
    )


def _of_pair(pair: Pair, comparison: Comparison) -> list[Cell]:
    n_seeds = "/".join(str(n) for n in dict.fromkeys(pair.n_seeds))
    cells = [(pair.name, "text wrap"), (n_seeds, "")]
    for each, metric, words, with_means in (
        (pair.bits, None, SIZES, True),
        (pair.test, comparison.metric, comparison.words, True),
        (pair.validation, comparison.metric, comparison.words, False),
    ):
        if with_means:
            means = () if each is None else (each.first, each.second)
            cells += [(metric.number(mean) if metric else f"{mean:.4f}", "") for mean in means] or [
                ("", "")
            ] * 2
        cells.append(_difference(each, metric))
        cells.append((verdict(each, words) if each else "", f"text {_difference(each)[1]}"))
    return cells


def _only(comparison: Comparison) -> str:
    parts = []
    for side, settings in zip(comparison.sides, comparison.only, strict=True):
        parts.append(f"<h3>{escape(side.name)}: {count(len(settings), 'setting')}</h3>")
        if settings:
            rows = [[(text, "text")] for text in settings[:SHOWN]]
            parts.append(page.table(["setting"], rows, label=f"only in {side.name}"))
            if more := of_many(len(settings), len(rows), "settings"):
                parts.append(page.paragraph(more.strip(), "caption"))
    return page.section("only", "In one of them only", *parts)
