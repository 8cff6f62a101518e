"""A weight from its bit planes, scales and mask, for NumPy's arrays and jax's alike."""

from typing import Any


def weigh(planes: Any, scales: Any, mask: Any | None) -> Any:
    """`mask * sum over planes, in order, of scale * (2 * bit - 1)`, 0 where the mask is False; None: all kept.

    Args:
        planes: bits, (planes, *shape).
        scales: floats, one array a plane, broadcastable over the weights; the sum is of their dtype.
        mask: (*shape).
    """
    xp = scales.__array_namespace__()
    total = xp.zeros(planes.shape[1:], scales.dtype)
    for bits, scale in zip(planes, scales, strict=True):
        total += xp.where(bits, scale, -scale)
    return total if mask is None else xp.where(mask, total, 0)
