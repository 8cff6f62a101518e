"""The columns of a result: a row for each encoded layer and code of a point, with all that it depends on."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from xorjax.results.columns import DERIVED, STATED
from xorjax.results.configs import to_column
from xorjax.streams import BIT_STREAMS

SCHEMA = pl.Schema({name: column.type for name, column in STATED.items()})
"""The columns of a table; the struct of the configs has the fields that there are."""

COLUMNS = tuple(name for name in SCHEMA if name not in DERIVED)
"""Those that a row holds."""
_TYPES = {column: SCHEMA[column].to_python() for column in COLUMNS}
# What values mostly are, so that a row is checked quickly.
_EXACTLY = {column: {expected, type(None)} for column, expected in _TYPES.items()}
ALWAYS = ("experiment", "point", "model", "dataset", "layer", "n_weights", "seed", "prune_rate", "config")
ALWAYS += ("code", "baseline", "quantized", *BIT_STREAMS, "bits_per_weight", "epochs", "dense_epochs", "task")
ALWAYS += (
    "metric",
    "metric_unit",
    "higher_is_better",
    "metric_tolerance",
    "dense_metric",
    "reference_metric",
)
"""What every row that is not a failure must say."""
OF_OWN_CODES = ("n_planes", "n_kept", "kept_score", "test_metric", "lossless")
"""What those of a point's own code must say beyond it."""
OF_XOR_CODES = ("n_in", "n_out", "method", "patch_format", "patches_per_slice", "n_slices", "n_bounded")
"""What those of an XOR code must say beyond that."""


class RowError(RuntimeError):
    """A result row does not fit the schema: a bug of ours."""


def check_row(row: Mapping[str, Any]) -> None:
    """Raise `RowError`, naming the column, unless `row` has just `COLUMNS`, each of its type.

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
    schema = {column: SCHEMA[column] for column in COLUMNS if column != "config"}
    table = pl.DataFrame([row[:-1] for row in values], schema=schema, orient="row", strict=False)
    value_bits = (pl.col("code_bits") + pl.col("patch_bits")).alias("value_bits")
    return table.with_columns(value_bits, to_column([row[-1] for row in values]))
