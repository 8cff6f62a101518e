"""The report's section of all points: bits against accuracy, filters for the figure and the table below it."""

from collections.abc import Collection
from html import escape
from typing import Any

import polars as pl

from xorjax.results import embedded, page, pareto_section, rows_section
from xorjax.results.collect import split_sizes
from xorjax.results.flat import flat_config
from xorjax.results.names import APPROXIMATE_MASKS, MASK_NAMES, codec_name
from xorjax.results.palette import colours
from xorjax.results.progress_section import known_of_failed
from xorjax.results.rows import SCHEMA
from xorjax.results.ticks import DIGITS_BY_STEP
from xorjax.results.variants import SETTING, plain, said, varied_keys

ORIGIN = "origin"
"""The column of `marked`; a table without it has no such filter."""
FILTERS = {
    "prune_rate": ("S", "prune rate S"),
    "n_in": ("n_in", "n_in"),
    "method": ("codec", "codec"),
    "mask_codec": ("mask", "mask codec"),
    "patch_format": ("patch", "patch format"),
    "seed": ("seed", "seed"),
    ORIGIN: ("origin", "made by"),
}
"""Column -> its name in the page's address, and for readers."""
# A codec without an XOR network has none of these, or those of several: such filters leave it.
OF_CODING = ("n_in", "mask_codec", "patch_format", ORIGIN)
BOXES = 24
"""Values of a filter that get a box each; more numbers than that are chosen by their least and largest."""
SWEPT = 8
"""Config keys that have a column and a filter of their own."""


def marked(table: pl.DataFrame, searched: Collection[str]) -> pl.DataFrame:
    """The rows as the page shows them: see `known_of_failed`, and with columns for what else was swept.

    `origin` says whether a search or a sweep made their point, if a search made any; other codecs than the XOR code are
    of a network, whoever coded it first. A config key that tells settings apart beyond the columns is one by its name.
    """
    swept = _swept(table)
    table = _untrained(known_of_failed(table)).with_columns(swept)
    if not searched:
        return table
    origin = pl.when(pl.col("point").is_in(list(searched))).then(pl.lit("search")).otherwise(pl.lit("sweep"))
    return table.with_columns(pl.when(pl.col("n_out").is_not_null()).then(origin).alias(ORIGIN))


def _untrained(table: pl.DataFrame) -> pl.DataFrame:
    """Signs without a mask are those of a network that nobody trained: no accuracy belongs to their size."""
    unknown = (pl.col("status") == "ok") & pl.col("n_out").is_null() & pl.col("test_accuracy").is_null()
    of_others = ("validation_accuracy", "quantized_accuracy", "pruned_accuracy")
    return table.with_columns(
        pl.when(unknown).then(None).otherwise(pl.col(name)).alias(name) for name in of_others
    )


def _swept(table: pl.DataFrame) -> list[pl.Series]:
    """A column for each config key of `varied_keys`; of another codec, the value if all points on its network share it.

    A key of an approximate mask codec is no setting of the other codecs' points.
    """
    varied = varied_keys(table)
    keys = sorted(set().union(*varied.values()) - set(SCHEMA))[:SWEPT]
    rows = table.select("config", "n_out", "quantized", "mask_codec", "status").rows()
    found = []
    for key in keys:
        of_codec = {codec for codec, of_it in varied.items() if key in of_it}
        values: list[Any] = []
        for config, n_out, _, codec, _ in rows:
            is_own = n_out is not None and (codec in of_codec or codec not in APPROXIMATE_MASKS)
            values.append(flat_config(config).get(key) if config and is_own else None)
        by_network: dict[str, set[Any]] = {}
        for value, (_, n_out, quantized, _, _) in zip(values, rows, strict=True):
            if n_out is not None:
                by_network.setdefault(quantized, set()).add(value)
        for i, (_, n_out, quantized, _, status) in enumerate(rows):
            if n_out is None and status == "ok" and len(shared := by_network.get(quantized, set())) == 1:
                values[i] = next(iter(shared))
        is_number = all(type(value) in (int, float) for value in values if value is not None)
        texts = [None if value is None else plain(value) for value in values]
        found.append(
            pl.Series(key, values, pl.Float64, strict=False)
            if is_number
            else pl.Series(key, texts, pl.String)
        )
    return found


def explore(table: pl.DataFrame, points: pl.DataFrame) -> str:
    """The section.

    Args:
        table: all rows, as `marked` gives them.
        points: as `tables.per_point` gives them, empty if none has finished.
    """
    parts = [_filters(table)]
    if not points.is_empty():
        parts += [pareto_section.figure(points), pareto_section.front()]
        if table["layer"].drop_nulls().n_unique() > 1:
            parts.append(pareto_section.layers())
    return page.section("points", "All points", *parts, *rows_section.rows(table, _more(table)))


def data(table: pl.DataFrame, points: pl.DataFrame) -> dict[str, Any]:
    """What the section's scripts read: the rows, the points of the figure, its colours and marks."""
    shown = table.with_columns(
        lossless=pl.col("lossless").replace_strict({True: "yes", False: "NO"}, return_dtype=pl.String)
    )
    first = table.with_row_index("row").group_by("point", "method").agg(pl.col("row").min())
    points = points.join(first, on=["point", "method"], how="left", maintain_order="left")
    methods = points["method"].unique(maintain_order=True).to_list()
    rates = {_value(rate): colour for rate, colour in colours(points["prune_rate"].to_list()).items()}
    columns = embedded.columns(points, {"row": 0, "bits_per_weight": 5, "dense_validation_accuracy": 5})
    columns |= embedded.columns(points, {"validation_accuracy": 5, "test_accuracy": 5})
    # Points that differ in the seed alone.
    alike: dict[tuple, int] = {}
    keys = points.select(*SETTING, "model_variant").iter_rows()
    columns["alike"] = {"values": [alike.setdefault(key, len(alike)) for key in keys]}
    known = points["test_accuracy"].is_not_null()
    columns["validation_accuracy"]["values"] = (
        points["validation_accuracy"].set(~known, None).round(5).to_list()
    )
    settings = [said(row) for row in points.select(SETTING).iter_rows()]
    more = _more(table)
    return {
        "n": table.height,
        "columns": embedded.columns(shown, rows_section.columns(more)),
        "listed": rows_section.in_table(table, more)[0],
        "names": rows_section.reader_names(table),
        "printed": list(rows_section.PRINTED),
        "filters": {column: name for column, (name, _) in _filters_of(table).items()},
        "of_coding": [*OF_CODING, *_keys(table)],
        "points": columns | {"setting": embedded.text(pl.Series(settings, dtype=pl.String))},
        "digits_by_step": DIGITS_BY_STEP,
        "images": split_sizes(table.filter(pl.col("status") == "ok")),
        "colours": rates,
        "marks": {
            method: {"name": codec_name(method), "symbol": symbol}
            for method, (symbol, _) in pareto_section.marks(methods).items()
        },
    }


def _keys(table: pl.DataFrame) -> list[str]:
    """The columns that are config keys."""
    return [name for name in table.columns if name not in SCHEMA and name != ORIGIN]


def _more(table: pl.DataFrame) -> dict[str, int | None]:
    digits: dict[str, int | None] = {
        key: 0 if table.schema[key].is_numeric() else None for key in _keys(table)
    }
    return digits | ({ORIGIN: None} if ORIGIN in table.columns else {})


def _filters_of(table: pl.DataFrame) -> dict[str, tuple[str, str]]:
    known = {column: names for column, names in FILTERS.items() if column in table.columns}
    return known | {key: (key, key) for key in _keys(table)}


def _filters(table: pl.DataFrame) -> str:
    fields = [_filter(table[column], name, title) for column, (name, title) in _filters_of(table).items()]
    return (
        '<form id="filters" aria-label="Filters of the figure and of the table">'
        f'<details open><summary>Filters</summary><div class="fields">{"".join(fields)}</div></details>'
        '<p class="buttons"><button type="reset">Show all</button> '
        '<button type="button" id="share">Copy the link to this view</button> '
        '<span id="shown" role="status"></span></p></form>'
    )


def _filter(column: pl.Series, name: str, title: str) -> str:
    values = column.drop_nulls().unique().sort().to_list()
    if name == "codec":
        values = list(pareto_section.marks(values))
    if len(values) < 2:
        return ""
    legend = f"<legend>{escape(title)}</legend>"
    if column.dtype.is_numeric() and len(values) > BOXES:
        ends = zip(("from", "to"), (values[0], values[-1]), strict=True)
        boxes = "".join(
            f'<label>{word} <input type="number" step="any" name="{name}" data-end="{word}" '
            f'placeholder="{value:g}"></label>'
            for word, value in ends
        )
        return f"<fieldset>{legend}{boxes}</fieldset>"
    words = {"codec": codec_name, "mask": lambda codec: MASK_NAMES.get(codec, codec)}.get(name, str)
    boxes = "".join(
        f'<label><input type="checkbox" name="{name}" value="{escape(_value(value))}">'
        f"{escape(words(_value(value)))}</label>"
        for value in values
    )
    return f"<fieldset>{legend}{boxes}</fieldset>"


def _value(value: object) -> str:
    """As JavaScript says it."""
    return str(value).removesuffix(".0")
