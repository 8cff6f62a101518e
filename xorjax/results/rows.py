"""The columns of a result: a row for each encoded layer and codec of a point, with all that it depends on."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

# Accuracies are fractions in [0, 1]; the *_bits and their sum are bits per weight of the layer, pruned weights
# included; `matrix_bits` is what M would add to them, stored for this layer alone. `quantized` names the artifact of
# the quantized model, `n_bounded` counts the slices whose patches may not be the fewest, `kept_score` is what an
# approximate mask keeps of the scores that it was chosen by (prune.score), over the largest ones at the same rate; 1
# for an exact mask. `flipped_signs` is the share of the kept signs that quantized training changed, over all bit
# planes. Times are seconds. Null: undefined for this codec (n_out of a baseline), or failed.
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
        "method": pl.String(),
        "patch_format": pl.String(),
        "mask_codec": pl.String(),
        "n_weights": pl.Int64(),
        "dense_accuracy": pl.Float64(),
        "quantized_accuracy": pl.Float64(),
        "test_accuracy": pl.Float64(),
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
        "layout": pl.String(),
        "quantized": pl.String(),
        "n_bounded": pl.Int64(),
        "kept_score": pl.Float64(),
        "flipped_signs": pl.Float64(),
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
        "config": pl.String(),
    }
)

COLUMNS = tuple(SCHEMA)
_TYPES = {column: dtype.to_python() for column, dtype in SCHEMA.items()}
# What values mostly are, so that a row is checked quickly.
_EXACTLY = {column: {expected, type(None)} for column, expected in _TYPES.items()}
# What every row that is not a failure must say, and what the rows of an XOR code must say beyond it.
ALWAYS = (
    "experiment",
    "model",
    "dataset",
    "layer",
    "seed",
    "prune_rate",
    "method",
    "n_weights",
    "dense_accuracy",
)
ALWAYS += ("code_bits", "patch_bits", "index_bits", "scale_bits", "bits_per_weight")
ALWAYS += ("quantized", "point", "config")
OF_XOR_CODES = (
    "n_in",
    "patch_format",
    "mask_codec",
    "patches_per_slice",
    "n_slices",
    "n_bounded",
    "n_planes",
)
OF_XOR_CODES += ("n_kept", "kept_score", "test_accuracy", "lossless")


class RowError(RuntimeError):
    """A result row does not fit the schema."""


def check_row(row: Mapping[str, Any]) -> None:
    """Raise `RowError`, naming the column, unless `row` has just the columns of `SCHEMA`, each of its type.

    A row of status "ok" must also hold values in `ALWAYS`, and in `OF_XOR_CODES` if it has an n_out.
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
        for column in ALWAYS if row["n_out"] is None else ALWAYS + OF_XOR_CODES:
            if row[column] is None:
                raise RowError(f"the column {column!r} of the result row is None though its status is 'ok'")


def to_frame(rows: Sequence[Mapping[str, Any] | tuple[Any, ...]]) -> pl.DataFrame:
    """Rows that `check_row` accepts, or their values in the order of `COLUMNS`, as a table of `SCHEMA`."""
    return pl.DataFrame(rows, schema=SCHEMA, orient="row", strict=False)
