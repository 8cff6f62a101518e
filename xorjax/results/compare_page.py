"""A comparison of two experiments as one self-contained page."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from xorjax.files import replacing
from xorjax.results import page
from xorjax.results.best import Best
from xorjax.results.caps import of_many
from xorjax.results.compare import (
    ACCURACIES,
    SIZES,
    Comparison,
    Difference,
    Pair,
    best_pair,
    shown,
    summed_up,
    verdict,
)
from xorjax.results.figure_sections import panels
from xorjax.results.page import count
from xorjax.results.palette import BLUE, ORANGE
from xorjax.results.tables import percent
from xorjax.results.variants import SETTING, said

SHOWN = 1000
"""Settings in a table of the page."""
SPREAD = (
    "with 95 % intervals, seed by seed where both have two or more in common, and in grey where they are not "
    "larger than that."
)
Cell = tuple[str, str]


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
    with replacing(path) as temporary:
        temporary.write_text(document, encoding="utf-8")


def _config(comparison: Comparison) -> str:
    rows = [[(text, "text") for text in row] for row in comparison.config]
    headings = ["setting", *(side.name for side in comparison.sides)]
    content = page.table(headings, rows, label="settings that differ") if rows else page.paragraph("None.")
    return page.section("settings", "Settings that differ", content)


def _best(comparison: Comparison) -> str:
    headings = ["S", *("setting", "bits", "test (%)") * 2, "bits, difference", "test, difference"]
    names = [side.name for side in comparison.sides]
    rows = []
    for rate in comparison.rates:
        *both, pair = best_pair(comparison.sides, rate)
        cells = [(f"{rate:g}", "strong"), *(cell for best in both for cell in _of_best(best))]
        cells += [_difference(pair and pair.bits), _difference(pair and pair.test, 100.0, 2)]
        rows.append(cells)
    return page.section(
        "best",
        "Best XOR point of each prune rate",
        page.table(headings, rows, {"": 1, **_columns(names, 3), " ": 2}, label="best points"),
        page.paragraph(
            "Each side's own best, the smallest whose validation accuracy is close to the dense network's (* where "
            f"none is), accuracies ± the sample standard deviation. Differences: the second less the first, {SPREAD}",
            "caption",
        ),
    )


def _of_best(best: Best | None) -> list[Cell]:
    if best is None:
        return [("none", "text"), ("", ""), ("", "")]
    # The rate stands before it.
    setting = said(getattr(best, name) for name in SETTING).partition(", ")[2]
    accuracy = percent(best.test_accuracy, best.test_accuracy_spread) + ("" if best.is_accurate else " *")
    return [(setting, "text wrap"), (f"{best.bits_per_weight:.4f}", ""), (accuracy, "")]


def _difference(each: Difference | None, scale: float = 1.0, digits: int = 4) -> Cell:
    return ("", "") if each is None else (shown(each, scale, digits), "strong" if each.is_clear else "quiet")


def _columns(names: Sequence[str], n: int) -> dict[str, int]:
    return dict.fromkeys(names, n)


def _fronts(comparison: Comparison) -> str:
    from xorjax.results.compare_figures import front_panels

    marks = dict(zip((side.name for side in comparison.sides), (BLUE, ORANGE), strict=True))
    return page.section(
        "fronts",
        "Bits against accuracy",
        page.legend(
            {
                **marks,
                "front by validation accuracy": "solid",
                "on that front": ("◎", "var(--ink)"),
            }
        ),
        panels("Bits against accuracy", front_panels(comparison)),
        page.paragraph(
            "A marker is one setting, the mean over its seeds. The fronts are of those that no other setting of their "
            "side beats in bits and validation accuracy; over test accuracy, which chooses nothing, the same settings "
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
    groups = {"": 2, "bits per weight": 4, "test accuracy (%)": 4, "validation accuracy (%)": 2}
    more = of_many(len(comparison.pairs), len(pairs), "settings")
    return page.section(
        "common",
        "Settings in common",
        page.table(headings, [_of_pair(pair) for pair in pairs], groups, label="settings in common"),
        page.paragraph(
            f"First: {names[0]}, second: {names[1]}, means over seeds. Differences are the second less the first, "
            f"{SPREAD}{more}",
            "caption",
        ),
    )


def _of_pair(pair: Pair) -> list[Cell]:
    n_seeds = "/".join(str(n) for n in dict.fromkeys(pair.n_seeds))
    cells = [(pair.name, "text wrap"), (n_seeds, "")]
    for each, scale, digits, words, with_means in (
        (pair.bits, 1.0, 4, SIZES, True),
        (pair.test, 100.0, 2, ACCURACIES, True),
        (pair.validation, 100.0, 2, ACCURACIES, False),
    ):
        if with_means:
            means = () if each is None else (each.first, each.second)
            cells += [(f"{scale * mean:.{digits}f}", "") for mean in means] or [("", "")] * 2
        cells.append(_difference(each, scale, digits))
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
