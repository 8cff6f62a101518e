"""The row x column model of a mask: a weight is kept with probability sigmoid(a_i + b_j), on its own."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

LOWEST = -12.0
"""The logit of a row or column that keeps nothing."""

_STEPS = 15
_PRIOR = 1.0


def density_logits(
    mask: Bool[np.ndarray, "rows columns"],
) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " columns"]]:
    """The likeliest a and b, by damped Newton steps in turn, with a small penalty on those far from their mean.

    They depend on the mask by its counts alone, and rows of one count share a logit: the steps are taken over the
    different counts.
    """
    of_row, rows, n_rows = _by_count(mask.sum(axis=1))
    of_column, columns, n_columns = _by_count(mask.sum(axis=0))
    density = max(mask.sum(), 0.3) / max(n_rows.sum() * n_columns.sum(), 1)
    a = _logit(rows, n_columns.sum())
    b = _logit(columns, n_rows.sum()) - np.log(density / max(1 - density, 1e-9))
    for _ in range(_STEPS):
        a += _newton_step(rows, n_columns, a[:, None] + b, a, n_rows)
        b += _newton_step(columns, n_rows, (a[:, None] + b).T, b, n_columns)
    return (
        np.append(np.maximum(a, LOWEST), LOWEST)[of_row],
        np.append(np.maximum(b, LOWEST), LOWEST)[of_column],
    )


def _by_count(
    counts: Int64[np.ndarray, " lines"],
) -> tuple[Int64[np.ndarray, " lines"], Float64[np.ndarray, " groups"], Float64[np.ndarray, " groups"]]:
    """Each line's group (the last for lines of count 0), the groups' counts, and how many lines they have."""
    values, group, n = np.unique(counts, return_inverse=True, return_counts=True)
    if len(values) and values[0] == 0:
        values, n, group = values[1:], n[1:], np.where(group == 0, len(values) - 1, group - 1)
    return group.astype(np.int64), values.astype(np.float64), n.astype(np.float64)


def _logit(counts: Float64[np.ndarray, " groups"], n: float) -> Float64[np.ndarray, " groups"]:
    """The logit of counts out of n, kept away from 0 and 1."""
    return np.log((counts + 0.3) / (n - counts + 0.3))


def _newton_step(
    counts: Float64[np.ndarray, " own"],
    n_across: Float64[np.ndarray, " across"],
    logits: Float64[np.ndarray, "own across"],
    own: Float64[np.ndarray, " own"],
    n_own: Float64[np.ndarray, " own"],
) -> Float64[np.ndarray, " own"]:
    likely = 1 / (1 + np.exp(-logits))
    mean = own @ n_own / max(n_own.sum(), 1)
    slope = counts - likely @ n_across - _PRIOR * (own - mean)
    return np.clip(slope / ((likely * (1 - likely)) @ n_across + _PRIOR), -1, 1)
