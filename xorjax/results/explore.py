"""The report's section of all points: bits against accuracy, filters for the figure and the table below it."""

from collections.abc import Iterable
from html import escape
from typing import Any

import polars as pl

from xorjax.metric import Metric
from xorjax.results import embedded, page, pareto_section, rows_section
from xorjax.results.collect import Experiment, split_sizes
from xorjax.results.configs import plain, setting
from xorjax.results.names import approximate_masks, code_name, codec_name, example, mask_name, own_code
from xorjax.results.palette import colours
from xorjax.results.progress_section import known_of_failed
from xorjax.results.rows import SCHEMA
from xorjax.results.ticks import DIGITS_BY_STEP
from xorjax.results.variants import SAID, SETTING, said, varied_keys

ORIGIN = "origin"
"""The column of `marked`; a table without it has no such filter."""
FILTERS = {
    "prune_rate": ("S", "prune rate S"),
    "n_in": ("n_in", "n_in"),
    "codec": ("codec", "codec"),
    "mask_codec": ("mask", "mask codec"),
    "patch_format": ("patch", "patch format"),
    "seed": ("seed", "seed"),
    ORIGIN: ("origin", "made by"),
}
"""Column -> its name in the page's address, and for readers."""
# A rival has none of these, or those of several points: such filters leave it.
OF_CODING = ("n_in", "mask_codec", "patch_format", ORIGIN)
BOXES = 24
"""Values of a filter that get a box each; more numbers than that are chosen by their least and largest."""
SWEPT = 8
"""Config keys that have a column and a filter of their own."""


def marked(table: pl.DataFrame, experiment: Experiment) -> pl.DataFrame:
    """The rows as the page shows them: see `known_of_failed`, and with columns for what else was swept.

    `codec` is the code for readers. `origin` says whether a search or a sweep made their point, if a search made any;
    rivals are of a network, whoever coded it first, and their mask codec is in their name. A swept setting that has no
    column is one by its name.
    """
    swept = _swept(table, experiment.swept)
    table = _untrained(known_of_failed(table)).with_columns(pl.col("baseline").fill_null(False), *swept)
    names = [
        codec_name(code, mask) if baseline else code and code_name(code, method)
        for code, method, mask, baseline in table.select(
            "code", "method", "mask_codec", "baseline"
        ).iter_rows()
    ]
    table = table.with_columns(
        pl.when(~pl.col("baseline")).then("mask_codec"), codec=pl.Series(names, dtype=pl.String)
    )
    if not experiment.searched:
        return table
    is_drawn = pl.col("point").is_in(list(experiment.searched))
    origin = pl.when(is_drawn).then(pl.lit("search")).otherwise(pl.lit("sweep"))
    return table.with_columns(pl.when(~pl.col("baseline")).then(origin).alias(ORIGIN))


def _untrained(table: pl.DataFrame) -> pl.DataFrame:
    """Signs without a mask are those of a network that nobody trained: no metric belongs to their size."""
    unknown = pl.col("baseline") & pl.col("test_metric").is_null()
    of_others = ("validation_metric", "quantized_metric", "pruned_metric")
    return table.with_columns(
        pl.when(unknown).then(None).otherwise(pl.col(name)).alias(name) for name in of_others
    )


def _swept(table: pl.DataFrame, swept: Iterable[str]) -> list[pl.Series]:
    """A column for each of `varied_keys`; of a rival, the value if all points on its network share it.

    A key of an approximate mask codec is no setting of the other codecs' points.
    """
    varied, lossy = varied_keys((table, swept)), approximate_masks(table)
    keys = sorted(set().union(*varied.values()) - set(SCHEMA))[:SWEPT]
    rows = table.select("baseline", "quantized", "mask_codec").rows()
    found = []
    for key in keys:
        of_codec = {mask for (_, mask), of_it in varied.items() if key in of_it}
        values = setting(table["config"], key).to_list()
        by_network: dict[str, set[Any]] = {}
        for i, (baseline, quantized, mask) in enumerate(rows):
            if baseline:
                continue
            if mask in lossy and mask not in of_codec:
                values[i] = None
            by_network.setdefault(quantized, set()).add(plain(values[i], key))
        for i, (baseline, quantized, _) in enumerate(rows):
            if baseline and len(by_network.get(quantized, ())) != 1:
                values[i] = None
        is_number = all(type(value) in (int, float) for value in values if value is not None)
        texts = [None if value is None else plain(value, key) for value in values]
        found.append(
            pl.Series(key, values, pl.Float64, strict=False)
            if is_number
            else pl.Series(key, texts, pl.String)
        )
    return found


def explore(table: pl.DataFrame, points: pl.DataFrame, metric: Metric) -> str:
    """The section.

    Args:
        table: all rows, as `marked` gives them.
        points: as `tables.per_point` gives them, empty if none has finished.
        metric: what the points are judged by.
    """
    parts = [_filters(table)]
    if not points.is_empty():
        parts += [pareto_section.figure(points, metric), pareto_section.front(points, metric)]
        if table["layer"].drop_nulls().n_unique() > 1:
            parts.append(pareto_section.layers())
    return page.section("points", "All points", *parts, *rows_section.rows(table, _more(table), metric))


def data(table: pl.DataFrame, points: pl.DataFrame, metric: Metric) -> dict[str, Any]:
    """What the section's scripts read: the rows, the points of the figure, its colours and marks."""
    shown = table.with_columns(
        lossless=pl.col("lossless").replace_strict({True: "yes", False: "NO"}, return_dtype=pl.String)
    )
    rival = pl.when("baseline").then("codec").alias("rival")
    first = table.with_row_index("row").group_by("point", rival).agg(pl.col("row").min())
    points = points.join(first, on=["point", "rival"], how="left", nulls_equal=True, maintain_order="left")
    rates = {_value(rate): colour for rate, colour in colours(points["prune_rate"].to_list()).items()}
    trained = pl.when(pl.col("test_metric").is_not_null())
    digits = {"row": 0, "prune_rate": 0, "codec": None, "bits_per_weight": 5, "reference_metric": 5}
    digits |= {"reference_validation_metric": 5, "validation_metric": 5, "test_metric": 5}
    columns = embedded.columns(points.with_columns(trained.then("validation_metric")), digits)
    # Points that differ in the seed alone.
    alike: dict[tuple, int] = {}
    keys = points.select(*SETTING, "codec", "model_variant").iter_rows()
    columns["alike"] = {"values": [alike.setdefault(key, len(alike)) for key in keys]}
    settings = [
        ", ".join(filter(None, (f"S {row[0]:g}", codec, row[-1]))) if baseline else said(row)
        for codec, baseline, *row in points.select("codec", "baseline", *SAID).iter_rows()
    ]
    more, codes = _more(table), points.filter(~pl.col("baseline"))["code"]
    return {
        "n": table.height,
        "columns": embedded.columns(shown, rows_section.columns(more)),
        "baseline": table["baseline"].to_list(),
        "listed": rows_section.in_table(table, more)[0],
        "names": {"mask_codec": rows_section.mask_names(table)},
        "printed": list(rows_section.PRINTED),
        "filters": {column: name for column, (name, _) in _filters_of(table).items()},
        "of_coding": [*OF_CODING, *_keys(table)],
        "points": columns | {"setting": embedded.text(pl.Series(settings, dtype=pl.String))},
        "digits_by_step": DIGITS_BY_STEP,
        "metric": vars(metric) | {"scale": metric.scale, "label": metric.label},
        "own": own_code(codes),
        "examples": split_sizes(table.filter(pl.col("status") == "ok")),
        "example": example(table["task"].drop_nulls()),
        "colours": rates,
        "marks": {codec: symbol for codec, (symbol, _) in pareto_section.marks(points).items()},
    }


def _keys(table: pl.DataFrame) -> list[str]:
    """The columns that are config keys."""
    return [name for name in table.columns if name not in SCHEMA and name not in (ORIGIN, "codec")]


def _more(table: pl.DataFrame) -> dict[str, int | None]:
    digits: dict[str, int | None] = {
        key: 0 if table.schema[key].is_numeric() else None for key in _keys(table)
    }
    return digits | ({ORIGIN: None} if ORIGIN in table.columns else {})


def _filters_of(table: pl.DataFrame) -> dict[str, tuple[str, str]]:
    known = {column: names for column, names in FILTERS.items() if column in table.columns}
    return known | {key: (key, key) for key in _keys(table)}


def _filters(table: pl.DataFrame) -> str:
    codecs = list(pareto_section.marks(table))
    fields = [
        _filter(table[column], name, title, codecs) for column, (name, title) in _filters_of(table).items()
    ]
    return (
        '<form id="filters" aria-label="Filters of the figure and of the table">'
        f'<details open><summary>Filters</summary><div class="fields">{"".join(fields)}</div></details>'
        '<p class="buttons"><button type="reset">Show all</button> '
        '<button type="button" id="share">Copy the link to this view</button> '
        '<span id="shown" role="status"></span></p></form>'
    )


def _filter(column: pl.Series, name: str, title: str, codecs: list[str]) -> str:
    values = codecs if name == "codec" else column.drop_nulls().unique().sort().to_list()
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
    words = mask_name if name == "mask" else str
    boxes = "".join(
        f'<label><input type="checkbox" name="{name}" value="{escape(_value(value))}">'
        f"{escape(words(_value(value)))}</label>"
        for value in values
    )
    return f"<fieldset>{legend}{boxes}</fieldset>"


def _value(value: object) -> str:
    """As JavaScript says it."""
    return str(value).removesuffix(".0")
