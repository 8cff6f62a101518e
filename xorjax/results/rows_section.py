"""The columns of the report's table of all rows, and the table's place on the page."""

from collections.abc import Mapping
from html import escape

import polars as pl

from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.names import mask_name

Digits = Mapping[str, int | None]
"""The columns of the page's table and the digits after their point (0: as it is, None: text)."""
DIGITS: dict[str, int | None] = {"layer": None, "codec": None, "prune_rate": 0, "bits_per_weight": 4}
DIGITS |= {"file_bits_per_parameter": 4, "matrix_bits": 4}
DIGITS |= {"test_metric": 4, "validation_metric": 4, "seed": 0, "n_in": 0, "n_out": 0}
DIGITS |= {"code_bits": 4, "patch_bits": 4, "index_bits": 4, "scale_bits": 4, "patches_per_slice": 2}
DIGITS |= {"patch_format": None, "mask_codec": None, "dense_metric": 4, "reference_metric": 4}
DIGITS |= {"pruned_metric": 4, "epochs": 0}
DIGITS |= {"lossless": None, "n_weights": 0, "n_kept": 0, "kept_score": 4, "n_bounded": 0, "file_bytes": 0}
DIGITS |= {"wall_seconds": 1, "quantized": None, "status": None, "point": None, "command": None}
# Printed: what fits on paper.
PRINTED = ("status", "layer", "codec", "seed", "prune_rate", "n_in", "n_out", "test_metric", "index_bits")
PRINTED += ("bits_per_weight", "file_bits_per_parameter")
ALWAYS = ("codec", "seed", "prune_rate", "n_in", "n_out", "test_metric", "bits_per_weight")
ALWAYS += ("point", "command", "file_bits_per_parameter")
"""Columns of the table even where they hold one value; an empty one is never there."""


def columns(more: Digits) -> dict[str, int | None]:
    """The columns that the page's scripts know; `more` are beyond those of `DIGITS`."""
    return DIGITS | dict(more)


def in_table(table: pl.DataFrame, more: Digits) -> tuple[list[str], dict[str, str]]:
    """The columns of the page's table, in their order, and those left out with the one value that they hold."""
    names = list(columns(more))
    if "failed" in table["status"]:
        first = ["status", "n_in"]
        names = [*first, *(name for name in names if name not in first)]
    if table.height < 2:
        return names, {}
    always = (*ALWAYS, names[0]) if names[0] == "status" else ALWAYS
    values = {name: table[name].drop_nulls().unique() for name in names}
    same = {
        name: _said(name, seen[0]) for name, seen in values.items() if len(seen) == 1 and name not in always
    }
    left_out = {*same, *(name for name, seen in values.items() if seen.is_empty())}
    return [name for name in names if name not in left_out], same


def mask_names(table: pl.DataFrame) -> dict[str, str]:
    """What the rest of the page calls the mask codecs."""
    codecs: list[str] = sorted(set(table["mask_codec"].drop_nulls()))
    return {codec: mask_name(codec) for codec in codecs}


def rows(table: pl.DataFrame, more: Digits, metric: Metric) -> tuple[str, ...]:
    """The table of all rows, empty: rows.js fills it; and the panel of what is chosen, on all pages."""
    known = columns(more)
    shown, same = in_table(table, more)
    headings = {
        f'<button type="button">{_heading(name, metric)}</button>': (
            f"{'text' if known[name] is None else ''}{'' if name in PRINTED else ' wide'}"
        )
        for name in shown
    }
    said = _same({name.replace("metric", metric.name): value for name, value in same.items()})
    values = "accuracies fractions" if metric.unit == "%" else f"{metric.label} as it is"
    return (
        '<div id="rows"><h3>All rows</h3>',
        f"<p>One row a layer and codec; bits are per weight, {values}. A heading sorts; arrow keys go from "
        "row to row, Enter shows a row's command. The whole table, with every setting, is beside this file: "
        '<a href="results.csv">results.csv</a>, <a href="results.parquet">results.parquet</a>.</p>',
        page.empty_table(headings, "all rows", "chosen"),
        '<p class="buttons"><button type="button" data-step="-1">Previous</button> '
        '<button type="button" data-step="1">Next</button> <span role="status"></span></p>',
        *([page.paragraph(said, "caption")] if said else []),
        "</div>",
        '<aside id="chosen" aria-label="The chosen point" aria-live="polite" hidden><strong></strong>'
        '<span id="whose"></span><code tabindex="0"></code>'
        '<button type="button" data-do="copy">Copy the command</button>'
        '<button type="button" data-do="close">Close</button><span role="status"></span></aside>',
    )


def _heading(name: str, metric: Metric) -> str:
    return escape(name.replace("metric", metric.name)).replace("_", "_<wbr>").replace(".", ".<wbr>")


def _same(same: Mapping[str, str]) -> str:
    if not same:
        return ""
    values = "; ".join(f"{name} {value}" for name, value in same.items())
    return f"The same in all rows that have it, and so no column: {values}."


def _said(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "mask_codec":
        return mask_name(str(value))
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.{DIGITS[name]}f}".rstrip("0").removesuffix(".") if DIGITS.get(name) else f"{value:g}"
    return str(value)
