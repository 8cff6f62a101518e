"""The columns of a result: a row for each encoded layer and code of a point, with all that it depends on."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from xorjax.results.configs import to_column
from xorjax.streams import BIT_STREAMS

METRICS = (
    "dense_metric",
    "pruned_metric",
    "quantized_metric",
    "test_metric",
    "validation_metric",
    "dense_validation_metric",
)
"""Each with a column beside it for accuracies alone, as `accuracy_column` calls it."""


def accuracy_column(column: str) -> str:
    """The column that repeats one of `METRICS` where it is an accuracy."""
    return column.replace("metric", "accuracy")


# Null: undefined for this code (n_out of one without M), or the point failed.
SCHEMA = pl.Schema(
    {
        "experiment": pl.String(),
        "model": pl.String(),
        "dataset": pl.String(),
        "layer": pl.String(),
        "seed": pl.Int64(),
        "prune_rate": pl.Float64(),
        "n_in": pl.Int64(),
        "n_out": pl.Int64(),
        "method": pl.String(),  # the XOR code's search
        "patch_format": pl.String(),
        "mask_codec": pl.String(),
        "n_weights": pl.Int64(),
        "dense_accuracy": pl.Float64(),
        "quantized_accuracy": pl.Float64(),
        "test_accuracy": pl.Float64(),
        # Bits per weight of the layer, pruned weights included, and their sum.
        "code_bits": pl.Float64(),
        "patch_bits": pl.Float64(),
        "index_bits": pl.Float64(),
        "scale_bits": pl.Float64(),
        "bits_per_weight": pl.Float64(),
        "patches_per_slice": pl.Float64(),
        "lossless": pl.Boolean(),
        "status": pl.String(),
        "command": pl.String(),
        "point": pl.String(),
        "fill": pl.Float64(),
        "xor_seed": pl.Int64(),
        "xor_sha256": pl.String(),
        "n_slices": pl.Int64(),
        "n_planes": pl.Int64(),
        "n_kept": pl.Int64(),
        "n_test": pl.Int64(),
        "pruned_accuracy": pl.Float64(),
        "validation_accuracy": pl.Float64(),
        "dense_validation_accuracy": pl.Float64(),
        "slicing": pl.String(),
        "quantized": pl.String(),  # the quantized model's artifact
        "n_bounded": pl.Int64(),  # slices whose patches may not be the fewest
        # What an approximate mask keeps of the scores that it was chosen by (prune.score), over the largest ones at the
        # same rate; 1 for an exact mask.
        "kept_score": pl.Float64(),
        # The share of the kept signs that quantized training changed, over all bit planes.
        "flipped_signs": pl.Float64(),
        # What M would add to `bits_per_weight`, stored for this layer alone.
        "matrix_bits": pl.Float64(),
        "file_bytes": pl.Int64(),
        "logit_difference": pl.Float64(),
        "wall_seconds": pl.Float64(),
        "finished_at": pl.String(),
        "error": pl.String(),
        "commit": pl.String(),
        "device": pl.String(),
        "jax_version": pl.String(),
        "xorjax_version": pl.String(),
        "numpy_version": pl.String(),
        "versions": pl.String(),
        "code": pl.String(),  # with `mask_codec`: how a layer is stored
        # Whether it is one of the rivals that are shown beside the point's own code.
        "baseline": pl.Boolean(),
        "task": pl.String(),
        "metric": pl.String(),  # what the task is judged by
        "metric_unit": pl.String(),  # "%" of a fraction, "" of a plain number
        "higher_is_better": pl.Boolean(),
        "metric_tolerance": pl.Float64(),  # the loss that counts as none
        **dict.fromkeys(METRICS, pl.Float64()),
        "config": pl.Struct([]),  # fields: those that any row has
    }
)

COLUMNS = tuple(SCHEMA)
_TYPES = {column: dtype.to_python() for column, dtype in SCHEMA.items()}
# What values mostly are, so that a row is checked quickly.
_EXACTLY = {column: {expected, type(None)} for column, expected in _TYPES.items()}
ALWAYS = (
    "experiment",
    "model",
    "dataset",
    "layer",
    "seed",
    "prune_rate",
    "code",
    "baseline",
    "n_weights",
    "task",
    "metric",
    "metric_unit",
    "higher_is_better",
    "metric_tolerance",
    "dense_metric",
    *BIT_STREAMS,
    "bits_per_weight",
    "quantized",
    "point",
    "config",
)
"""What every row that is not a failure must say."""
OF_OWN_CODES = ("n_planes", "n_kept", "kept_score", "test_metric", "lossless")
"""What those of a point's own code must say beyond it."""
OF_XOR_CODES = ("n_in", "n_out", "method", "patch_format", "patches_per_slice", "n_slices", "n_bounded")
"""What those of an XOR code must say beyond that."""


class RowError(RuntimeError):
    """A result row does not fit the schema: a bug of ours."""


def check_row(row: Mapping[str, Any]) -> None:
    """Raise `RowError`, naming the column, unless `row` has just the columns of `SCHEMA`, each of its type.

    A row of status "ok" must also hold values in `ALWAYS`, one that is no baseline in `OF_OWN_CODES`, and of these one
    of the XOR code in `OF_XOR_CODES`.
    """
    for column in COLUMNS:
        if column not in row:
            raise RowError(f"the result row lacks the column {column!r}")
    for column, value in row.items():
        if column not in _TYPES:
            raise RowError(f"the result row has the unknown column {column!r}")
        if type(value) in _EXACTLY[column]:
            continue
        expected = _TYPES[column]
        accepted = (int, float) if expected is float else (expected,)
        is_misplaced_bool = isinstance(value, bool) and expected is not bool
        if value is not None and (is_misplaced_bool or not isinstance(value, accepted)):
            raise RowError(
                f"the column {column!r} of the result row is {value!r}, expected {expected.__name__} or None"
            )
    if row["status"] == "ok":
        needed = ALWAYS
        if not row["baseline"]:
            needed += OF_OWN_CODES + (OF_XOR_CODES if row["code"] == "xor" else ())
        for column in needed:
            if row[column] is None:
                raise RowError(f"the column {column!r} of the result row is None though its status is 'ok'")


def to_frame(rows: Sequence[Mapping[str, Any] | tuple[Any, ...]]) -> pl.DataFrame:
    """Rows that `check_row` accepts, or their values in the order of `COLUMNS`, as a table.

    Its columns are those of `SCHEMA`, but the struct of the configs has the fields that there are.
    """
    values = [row if isinstance(row, tuple) else tuple(row[column] for column in COLUMNS) for row in rows]
    schema = {column: dtype for column, dtype in SCHEMA.items() if column != "config"}
    table = pl.DataFrame([row[:-1] for row in values], schema=schema, orient="row", strict=False)
    return table.with_columns(to_column([row[-1] for row in values]))
