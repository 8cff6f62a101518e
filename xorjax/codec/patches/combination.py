"""A set of d of the numbers 0 .. K - 1 as one number below C(K, d): the combinatorial number system.

The set c_1 < ... < c_d has the index C(c_1, 1) + C(c_2, 2) + ... + C(c_d, d) (Knuth, TAOCP 7.2.1.3, theorem L).
From the index, c_d is the largest c with C(c, d) not above it, and so on with what is left and d - 1.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from math import comb

MAX_CARE = 256
"""The most care bits K of a slice whose patches are written as an index, of up to 252 bits."""


def index_width(k: int, d: int) -> int:
    """Bits of an index: ceil(lg C(k, d))."""
    return (column(d)[k] - 1).bit_length()


def to_index(numbers: Sequence[int]) -> int:
    """The index of ascending numbers below `MAX_CARE`."""
    return sum(column(i)[c] for i, c in enumerate(numbers, 1))


def from_index(index: int, k: int, d: int) -> list[int]:
    """The d ascending numbers below k with this index.

    Raises:
        ValueError: there are not so many combinations.
    """
    if index >= column(d)[k]:
        raise ValueError(f"index {index} passes the {column(d)[k]} sets of {d} among {k} care bits")
    numbers = []
    for i in range(d, 0, -1):
        numbers.append(bisect_right(column(i), index) - 1)
        index -= column(i)[numbers[-1]]
    return numbers[::-1]


@cache
def column(d: int) -> list[int]:
    """C(c, d) for c from 0 to `MAX_CARE`."""
    return [comb(c, d) for c in range(MAX_CARE + 1)]
