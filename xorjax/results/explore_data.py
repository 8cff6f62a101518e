"""What the scripts of the report's section of all points read: rows, their filters, the points of the figure."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from xorjax.metric import Metric
from xorjax.results import embedded
from xorjax.results.collect import Experiment, split_sizes
from xorjax.results.configs import plain, setting
from xorjax.results.figures import DIGITS_BY_STEP
from xorjax.results.names import (
    CODEC_NAMES,
    approximate_masks,
    code_name,
    codec_name,
    example,
    mask_name,
    own_code,
)
from xorjax.results.palette import colours
from xorjax.results.rows import SCHEMA
from xorjax.results.variants import SAID, SETTING, said, varied_keys

ORIGIN = "origin"
"""The column of `marked`; a table without it has no such filter."""
FILTERS = {
    "prune_rate": ("S", "prune rate S"),
    "n_in": ("n_in", "n_in"),
    "n_out": ("n_out", "n_out"),
    "codec": ("codec", "codec"),
    "mask_codec": ("mask", "mask codec"),
    "patch_format": ("patch", "patch format"),
    "seed": ("seed", "seed"),
    ORIGIN: ("origin", "made by"),
}
"""Column -> its name in the page's address, and for readers."""
# A rival has none of these, or those of several points: such filters leave it.
OF_CODING = ("n_in", "n_out", "mask_codec", "patch_format", ORIGIN)
SWEPT = 8
"""Config keys that have a column and a filter of their own."""
# Plotly's markers and the same signs as letters: filled for the points' own codes, open for the others beside them.
OWN = (
    *(("circle", "●"), ("square", "■"), ("diamond", "◆")),
    *(("triangle-up", "▲"), ("triangle-down", "▼"), ("star", "★")),
)
OTHERS = (
    *(("square-open", "□"), ("diamond-open", "◇"), ("triangle-up-open", "△"), ("triangle-down-open", "▽")),
    *(("star-open", "☆"), ("circle-open", "○"), ("pentagon-open", "⬠"), ("hexagon-open", "⬡")),
    *(("triangle-left-open", "◁"), ("triangle-right-open", "▷")),
)
XOR = [code_name("xor", method) for method in ("minimum", "greedy")]
"""Own codes whose mark is always the same."""

DIGITS: dict[str, int | None] = {"layer": None, "codec": None, "prune_rate": 0, "bits_per_weight": 4}
DIGITS |= {"file_bits_per_parameter": 4, "matrix_bits": 4}
DIGITS |= {"test_metric": 4, "validation_metric": 4, "seed": 0, "n_in": 0, "n_out": 0}
DIGITS |= {"code_bits": 4, "patch_bits": 4, "index_bits": 4, "scale_bits": 4, "patches_per_slice": 2}
DIGITS |= {"patch_format": None, "mask_codec": None, "dense_metric": 4, "reference_metric": 4}
DIGITS |= {"pruned_metric": 4, "epochs": 0}
DIGITS |= {"lossless": None, "n_weights": 0, "n_kept": 0, "kept_score": 4, "n_bounded": 0, "file_bytes": 0}
DIGITS |= {"wall_seconds": 1, "quantized": None, "status": None, "point": None, "command": None}
"""The columns of the page's table and the digits after their point (0: as it is, None: text)."""
# Printed: what fits on paper.
PRINTED = ("status", "layer", "codec", "seed", "prune_rate", "n_in", "n_out", "test_metric", "index_bits")
PRINTED += ("bits_per_weight", "file_bits_per_parameter")
ALWAYS = ("codec", "seed", "prune_rate", "n_in", "n_out", "test_metric", "bits_per_weight")
ALWAYS += ("point", "command", "file_bits_per_parameter")
"""Columns of the table even where they hold one value; an empty one is never there."""


def marked(table: pl.DataFrame, experiment: Experiment) -> pl.DataFrame:
    """The rows as the page shows them, with columns for what else was swept.

    `codec` is the code for readers. `origin` says whether a search or a sweep made their point, if a search made any;
    rivals are of a network, whoever coded it first, and their mask codec is in their name. A swept setting that has no
    column is one by its name. Failed points have what their settings say of the coding.
    """
    swept = _swept(table, experiment.swept)
    table = _untrained(_known_of_failed(table)).with_columns(pl.col("baseline").fill_null(False), *swept)
    of_names = table.select("code", "method", "mask_codec", "baseline").iter_rows()
    names = [
        codec_name(code, mask) if baseline else code and code_name(code, method)
        for code, method, mask, baseline in of_names
    ]
    table = table.with_columns(
        pl.when(~pl.col("baseline")).then("mask_codec"), codec=pl.Series(names, dtype=pl.String)
    )
    if not experiment.searched:
        return table
    is_drawn = pl.col("point").is_in(list(experiment.searched))
    origin = pl.when(is_drawn).then(pl.lit("search")).otherwise(pl.lit("sweep"))
    return table.with_columns(pl.when(~pl.col("baseline")).then(origin).alias(ORIGIN))


def _known_of_failed(table: pl.DataFrame) -> pl.DataFrame:
    failed, configs = pl.col("status") == "failed", table["config"]
    keys = {name: f"code.{name}" for name in ("n_in", "n_out", "method", "patch_format")}
    if "failed" not in table["status"]:
        return table
    return table.with_columns(
        pl.when(failed)
        .then(pl.coalesce(column, setting(configs, key).cast(table.schema[column])))
        .otherwise(pl.col(column))
        .alias(column)
        for column, key in (keys | {"mask_codec": "mask.codec"}).items()
    )


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
        if all(type(value) in (int, float) for value in values if value is not None):
            found.append(pl.Series(key, values, pl.Float64, strict=False))
        else:
            texts = [None if value is None else plain(value, key) for value in values]
            found.append(pl.Series(key, texts, pl.String))
    return found


def data(table: pl.DataFrame, points: pl.DataFrame, metric: Metric) -> dict[str, Any]:
    """All of it, of rows as `marked` gives them and points as `tables.per_point` does."""
    shown = table.with_columns(
        lossless=pl.col("lossless").replace_strict({True: "yes", False: "NO"}, return_dtype=pl.String)
    )
    rival = pl.when("baseline").then("codec").alias("rival")
    first = table.with_row_index("row").group_by("point", rival).agg(pl.col("row").min())
    points = points.join(first, on=["point", "rival"], how="left", nulls_equal=True, maintain_order="left")
    trained = pl.when(pl.col("test_metric").is_not_null())
    digits = {"row": 0, "prune_rate": 0, "bits_per_weight": 5, "reference_validation_metric": 5}
    digits |= {"validation_metric": 5, "test_metric": 5}
    columns = embedded.columns(points.with_columns(trained.then("validation_metric")), digits)
    # Points that differ in the seed alone.
    alike: dict[tuple, int] = {}
    keys = points.select(*SETTING, "codec", "model_variant").iter_rows()
    columns["alike"] = {"values": [alike.setdefault(key, len(alike)) for key in keys]}
    # Of a single seed with its own n_out.
    for name, shape in (("setting", "shape"), ("setting_of_seed", "own_shape")):
        rows = points.with_columns(shape=shape).select("codec", "baseline", *SAID).iter_rows()
        texts = [
            ", ".join(filter(None, (f"S {row[0]:g}", codec, row[-1]))) if baseline else said(row)
            for codec, baseline, *row in rows
        ]
        columns[name] = embedded.text(pl.Series(texts, dtype=pl.String))
    masks: list[str] = table["mask_codec"].drop_nulls().unique().sort().to_list()
    return {
        "n": table.height,
        "columns": embedded.columns(shown, columns_of(table)),
        "baseline": table["baseline"].to_list(),
        "listed": listed(table)[0],
        "names": {"mask_codec": {codec: mask_name(codec) for codec in masks}},
        "printed": list(PRINTED),
        "filters": {column: name for column, (name, _) in filters_of(table).items()},
        "of_coding": [*OF_CODING, *_keys(table)],
        "points": columns,
        "digits_by_step": DIGITS_BY_STEP,
        "metric": vars(metric) | {"scale": metric.scale, "label": metric.label},
        "own": own_code(points.filter(~pl.col("baseline"))["code"]),
        "examples": split_sizes(table.filter(pl.col("status") == "ok")),
        "example": example(table["task"].drop_nulls()),
        "colours": {
            value_of(rate): colour for rate, colour in colours(points["prune_rate"].to_list()).items()
        },
        "marks": {codec: symbol for codec, (symbol, _) in marks(points).items()},
    }


def marks(codecs: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """The marker and the letter of each `codec`, which `baseline` says to be a rival or a point's own."""
    pairs = dict(codecs.select("codec", "baseline").drop_nulls().iter_rows())
    found = {}
    for is_rival, known, signs in ((False, XOR, OWN), (True, list(CODEC_NAMES.values()), OTHERS)):
        places = {name: sign for name, sign in zip(known, signs, strict=False) if pairs.get(name) == is_rival}
        others = sorted(name for name in pairs if pairs[name] == is_rival and name not in places)
        free = [sign for sign in signs if sign not in places.values()] or signs
        found |= places | {name: free[i % len(free)] for i, name in enumerate(others)}
    return found


def _keys(table: pl.DataFrame) -> list[str]:
    """The columns that are config keys."""
    return [name for name in table.columns if name not in SCHEMA and name not in (ORIGIN, "codec")]


def columns_of(table: pl.DataFrame) -> dict[str, int | None]:
    """The columns that the page's scripts know, and their digits."""
    keys = {key: 0 if table.schema[key].is_numeric() else None for key in _keys(table)}
    return DIGITS | keys | ({ORIGIN: None} if ORIGIN in table.columns else {})


def listed(table: pl.DataFrame) -> tuple[list[str], dict[str, str]]:
    """The columns of the page's table, in their order, and those left out with the one value that they hold."""
    names, always = list(columns_of(table)), set[str](ALWAYS)
    if "failed" in table["status"]:
        names = ["status", "n_in", *(name for name in names if name not in ("status", "n_in"))]
        always.add("status")
    if table.height < 2:
        return names, {}
    values = {name: table[name].drop_nulls().unique() for name in names}
    same = {
        name: _said(name, seen[0]) for name, seen in values.items() if len(seen) == 1 and name not in always
    }
    left_out = {*same, *(name for name, seen in values.items() if seen.is_empty())}
    return [name for name in names if name not in left_out], same


def _said(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{DIGITS[name]}f}".rstrip("0").removesuffix(".") if DIGITS.get(name) else f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else mask_name(str(value))


def filters_of(table: pl.DataFrame) -> dict[str, tuple[str, str]]:
    """As `FILTERS`, those that the table has and one for each config key."""
    known = {column: names for column, names in FILTERS.items() if column in table.columns}
    return known | {key: (key, key) for key in _keys(table)}


def value_of(value: object) -> str:
    """As JavaScript says it."""
    return str(value).removesuffix(".0")
