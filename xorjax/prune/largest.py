"""Which weights stay: the largest scores, found by counting bit patterns, a tile of the scores at a time.

The bit pattern of a float, read as an integer, grows with its value once that of a negative number is inverted.
Histograms of the patterns' digits of 16 bits, the highest first and each lower one where the threshold's digits
before are met, give the threshold exactly; nothing is sorted, and no second copy of the scores is made.
"""

from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float

Tile = Float[np.ndarray, " _"]
_DIGIT = 16


def keep_largest(
    tiles: Callable[[], Iterable[tuple[slice, Tile]]], size: int, count: int
) -> Bool[np.ndarray, " _"]:
    """True for the `count` largest of `size` scores, of equal ones those of lower index.

    Args:
        tiles: gives the scores, float32 or float64 and none NaN, in order with where they are; called several times.
        size: how many there are.
        count: how many stay, at least 1.
    """
    prefix, left, width = 0, count, 0
    for digit in range(4):
        histogram = np.zeros(1 << _DIGIT, np.int64)
        for _, tile in tiles():
            width = 8 * tile.dtype.itemsize
            pattern = _pattern(tile)
            if digit:
                pattern = pattern[pattern >> pattern.dtype.type(width - _DIGIT * digit) == prefix]
            digits = pattern >> pattern.dtype.type(width - _DIGIT * (digit + 1)) & pattern.dtype.type(0xFFFF)
            histogram += np.bincount(digits.astype(np.int64), minlength=1 << _DIGIT)
        from_above = np.cumsum(histogram[::-1])
        bucket = len(histogram) - 1 - int(np.searchsorted(from_above, left))
        left -= int(histogram[bucket + 1 :].sum())
        prefix = prefix << _DIGIT | bucket
        if width <= _DIGIT * (digit + 1):
            break
    keep = np.empty(size, np.bool_)
    for where, tile in tiles():
        pattern = _pattern(tile)
        threshold = pattern.dtype.type(prefix)
        np.greater(pattern, threshold, out=keep[where])
        if left:
            equal = np.flatnonzero(pattern == threshold)[:left]
            keep[where.start + equal] = True
            left -= len(equal)
    return keep


def _pattern(tile: Tile) -> np.ndarray:
    """Unsigned integers in the order of the scores; both zeros are one."""
    unsigned = np.dtype(f"u{tile.dtype.itemsize}").type
    bits = (tile + tile.dtype.type(0)).view(unsigned)
    sign = unsigned(1 << (8 * tile.dtype.itemsize - 1))
    return np.where(bits & sign, ~bits, bits | sign)
