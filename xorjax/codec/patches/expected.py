"""What is expected of a plane's slices before it is encoded, for the sizes of the patch formats."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True)
class ExpectedSlices:
    """Expected numbers of slices by their care bits, and P(patches = d) for each of these.

    Attributes:
        patch_block: slices in a block of counts ("blocked").
        n_care: the numbers of care bits K that occur, ascending.
        n_slices: how many slices have each of them.
        chances: [K, d].
        order: for a given mask, each slice's place in `n_care`; None where slices are alike.
    """

    n_in: int
    n_out: int
    patch_block: int
    n_care: Int64[np.ndarray, " ks"]
    n_slices: Float64[np.ndarray, " ks"]
    chances: Float64[np.ndarray, "ks ds"]
    order: Int64[np.ndarray, " slices"] | None

    @property
    def total(self) -> float:
        return float(self.n_slices.sum())

    @property
    def expected(self) -> Float64[np.ndarray, " ks"]:
        """Patches of a slice by its care bits."""
        return self.chances @ np.arange(self.chances.shape[1])

    @property
    def n_patches(self) -> float:
        return float(self.n_slices @ self.expected)

    def log_at_most(self) -> Float64[np.ndarray, "ks widths"]:
        """ln P(patches < 2^w) for w = 0, 1, ..., finite."""
        n_widths = self.chances.shape[1].bit_length() + 1
        below = np.minimum(1 << np.arange(n_widths), self.chances.shape[1])
        with np.errstate(divide="ignore"):
            logs = np.log(np.minimum(np.cumsum(self.chances, axis=1)[:, below - 1], 1.0))
        # A slice may be sure to have more patches, and 0 slices of it are no reason for 0 times infinity.
        return np.maximum(logs, -1e4)


def expected_width(log_at_most: Float64[np.ndarray, "*n widths"]) -> Float64[np.ndarray, "*n"]:
    """The expected width of a largest count that is below 2^w with these chances."""
    return np.asarray((1 - np.exp(log_at_most)).sum(axis=-1))


@lru_cache(maxsize=4096)
def lg_choose(n: int) -> Float64[np.ndarray, " n_plus_1"]:
    """lg C(n, k) for k from 0 to n."""
    lg_factorial = np.concatenate([[0.0], np.cumsum(np.log2(np.arange(1, n + 1)))])
    return lg_factorial[n] - lg_factorial - lg_factorial[::-1]
