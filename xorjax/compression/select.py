"""Which weights stay: the largest magnitudes, found by counting bit patterns, a tile of the weights at a time.

The bit pattern of a non-negative float32, read as an integer, grows with its value. Two histograms, of the
patterns' high halves and of the low halves where the high one is the threshold's, give the threshold exactly;
nothing is sorted, and no second copy of the weights is made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Bool, Float32, UInt32

TILE = 1 << 20


@dataclass(frozen=True)
class Weights:
    """A tensor of float weights that is read in pieces: `read(begin, end)` of it flattened, as any float dtype."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[int, int], np.ndarray]

    @property
    def size(self) -> int:
        return prod(self.shape)

    def tiles(self) -> Iterator[tuple[slice, Float32[np.ndarray, " _"]]]:
        """The weights as float32, `TILE` at a time, with where they are."""
        for begin in range(0, self.size, TILE):
            end = min(begin + TILE, self.size)
            # A float64 beyond float32 becomes infinite, and is refused as such.
            with np.errstate(over="ignore"):
                yield slice(begin, end), self.read(begin, end).astype(np.float32)

    @classmethod
    def of(cls, name: str, array: np.ndarray) -> "Weights":
        flat = array.reshape(-1)
        return cls(name, array.shape, lambda begin, end: flat[begin:end])


def check_finite(weights: Weights) -> None:
    """Looks at every weight.

    Raises:
        ValueError: one is NaN or infinite (as float32); counts them and gives the first one's index.
    """
    count, first = 0, -1
    for where, tile in weights.tiles():
        bad = np.flatnonzero(~np.isfinite(tile))
        if len(bad) and first < 0:
            first = where.start + int(bad[0])
        count += len(bad)
    if count:
        index = [int(i) for i in np.unravel_index(first, weights.shape)]
        what = "1 weight is" if count == 1 else f"{count} weights are"
        raise ValueError(
            f"tensor {weights.name!r}: {what} NaN or infinite as float32 (the first at {index}), expected finite"
        )


def keep_largest(weights: Weights, count: int) -> Bool[np.ndarray, "..."]:
    """True for the `count` largest magnitudes; of equal ones the lower index stays. The weights are finite."""
    high = np.zeros(1 << 16, np.int64)
    for _, tile in weights.tiles():
        high += np.bincount(_pattern(tile) >> 16, minlength=1 << 16)
    top = _bucket(high, count)
    within = count - int(high[top + 1 :].sum())
    low = np.zeros(1 << 16, np.int64)
    for _, tile in weights.tiles():
        pattern = _pattern(tile)
        low += np.bincount(pattern[pattern >> 16 == top] & 0xFFFF, minlength=1 << 16)
    bottom = _bucket(low, within)
    ties = within - int(low[bottom + 1 :].sum())
    threshold = np.uint32((top << 16) | bottom)
    keep = np.empty(weights.size, np.bool_)
    for where, tile in weights.tiles():
        pattern = _pattern(tile)
        np.greater(pattern, threshold, out=keep[where])
        if ties:
            equal = np.flatnonzero(pattern == threshold)[:ties]
            keep[where.start + equal] = True
            ties -= len(equal)
    return keep.reshape(weights.shape)


def _pattern(tile: Float32[np.ndarray, " _"]) -> UInt32[np.ndarray, " _"]:
    return tile.view(np.uint32) & np.uint32(0x7FFFFFFF)


def _bucket(histogram: np.ndarray, count: int) -> int:
    """The bucket of the `count`-th value from above."""
    from_above = np.cumsum(histogram[::-1])
    return len(histogram) - 1 - int(np.searchsorted(from_above, count))
