"""All vectors that a small XOR network puts out: 2^n_in slices, few enough to be looked up instead of computed."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, UInt8

from xorjax.gf2.network import NetworkError
from xorjax.gf2.tables import xor_tables

MAX_BITS = 12
"""The longest code word whose vectors are held: 4,096 of them."""


def draw_rows(n_in: int, n_out: int, seed: int, taps: int | None = None) -> UInt8[np.ndarray, "n_out n_in"]:
    """A matrix M without a zero row, its rows as different as n_in allows: none occurs twice before all occur once.

    The candidates are all rows but 0, those with `taps` ones where that is given, in ascending order (column j is bit
    j). Each round draws a raw 64-bit output of PCG64(seed) for every candidate and takes them in the order of these
    keys, smallest first; rounds follow each other until there are n_out rows. If the matrix has not the rank that its
    candidates have, the next is drawn from where the stream stands.

    Raises:
        NetworkError: a size is out of range.
    """
    if not 1 <= n_in <= MAX_BITS or n_out < n_in:
        raise NetworkError(
            f"n_in must be 1 to {MAX_BITS} and n_out at least n_in, not n_in={n_in}, n_out={n_out}"
        )
    if taps is not None and not 1 <= taps <= n_in:
        raise NetworkError(f"taps must be 1 to n_in={n_in} ones a row, not {taps}")
    ones = np.bitwise_count(numbers := np.arange(1, 1 << n_in, dtype=np.uint64))
    candidates = numbers if taps is None else numbers[ones == taps]
    wanted, source = _rank(candidates), np.random.PCG64(seed)
    while True:
        rows = np.zeros(0, np.uint64)
        while len(rows) < n_out:
            keys = np.asarray(source.random_raw(len(candidates)), np.uint64)
            rows = np.append(rows, candidates[np.argsort(keys, kind="stable")])
        if _rank(rows[:n_out]) == wanted:
            return (rows[:n_out, None] >> np.arange(n_in, dtype=np.uint64) & np.uint64(1)).astype(np.uint8)


# The largest table takes 16 MiB.
@lru_cache(maxsize=4)
def sign_vectors(
    n_in: int, n_out: int, seed: int, taps: int | None = None
) -> Bool[np.ndarray, "code_words n_out"]:
    """Row c is M c over GF(2), M as `draw_rows` draws it and bit j of c meeting column j; True is the sign +1.

    Raises:
        NetworkError: as `draw_rows`.
    """
    vectors = xor_tables(draw_rows(n_in, n_out, seed, taps).T.astype(np.bool_), n_in)[0]
    vectors.setflags(write=False)
    return vectors


def _rank(rows: np.ndarray) -> int:
    """Over GF(2): each pivot is the lowest bit of a row, taken off all others."""
    rank, left = 0, rows[rows != 0]
    while len(left):
        pivot = left[0]
        lowest = pivot & (~pivot + np.uint64(1))
        left = np.where(left & lowest, left ^ pivot, left)
        left = left[left != 0]
        rank += 1
    return rank
