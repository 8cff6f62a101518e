"""A tensor of weights that is read in pieces, so that no second copy of it is made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float32

TILE = 1 << 20


@dataclass(frozen=True)
class Weights:
    """A tensor of float weights: `read(begin, end)` of it flattened, as any float dtype."""

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

    def magnitudes(self) -> Iterator[tuple[slice, Float32[np.ndarray, " _"]]]:
        """As `tiles`, without signs."""
        for where, tile in self.tiles():
            yield where, np.abs(tile)

    @classmethod
    def of(cls, name: str, array: np.ndarray) -> "Weights":
        flat = array.reshape(-1)
        return cls(name, array.shape, lambda begin, end: flat[begin:end])
