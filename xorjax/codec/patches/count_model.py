"""How probable a number of patches is for a slice with K care bits, in integers, so that all machines agree.

The care rows of a random M have rank K - r with a probability that follows row by row: a row falls into the span
of rank q before it with probability 2^(q - n_in). Of these r redundant equations,

- greedy search misses each with probability 1/2: binomial patches;
- minimum search misses t or fewer if one of the V(K, t) = C(K, 0) + ... + C(K, t) error patterns has the right
  syndrome of r bits: more than t with probability about (1 - 2^-r)^V(K, t).

A probability p is held as floor(p 2^64), products are floored, and powers go by squaring, low bits of the exponent
first. Nothing depends on the data but a choice between the two models, so that no table is written.
"""

import itertools
from dataclasses import dataclass
from functools import cache
from math import comb

from xorjax.codec.patches.combination import MAX_CARE

MODELS = ("minimum", "greedy")
TOTAL_BITS = 16
_ONE = 1 << 64


@dataclass(frozen=True)
class CountRow:
    """The symbols of a slice: counts from `first` on, and last an escape for all others.

    Attributes:
        ends: cumulative frequencies of the symbols, the last one 2^16.
    """

    first: int
    ends: tuple[int, ...]

    @property
    def escape(self) -> int:
        """The number of the escape symbol."""
        return len(self.ends) - 1

    def symbol(self, count: int) -> int:
        return count - self.first if 0 <= count - self.first < self.escape else self.escape

    def interval(self, symbol: int) -> tuple[int, int]:
        """Where the symbol's frequencies begin and how many there are."""
        begin = self.ends[symbol - 1] if symbol else 0
        return begin, self.ends[symbol] - begin


@cache
def count_row(model: str, n_in: int, k: int) -> CountRow:
    """The row of a slice with k care bits.

    Counts of probability 2^-16 or more, and those between, are symbols. With W of them, each has the frequency
    1 + floor(p (2^16 - W - 1)), and the escape has what is left. Two rows are certain and cost nothing: that of a
    slice without care bits, count 0, and that of one with more than `MAX_CARE`, the escape.
    """
    total = 1 << TOTAL_BITS
    if k == 0:
        return CountRow(0, (total, total))
    if k > MAX_CARE:
        return CountRow(0, (total,))
    above = [_ONE]  # above[t]: more than t - 1 patches
    while above[-1] >> (64 - TOTAL_BITS) and len(above) <= k:
        above.append(_above(model, n_in, k, len(above) - 1))
    above.append(0)
    probabilities = [max(p - q, 0) for p, q in itertools.pairwise(above)]
    likely = [t for t, p in enumerate(probabilities) if p >> (64 - TOTAL_BITS)]
    window = probabilities[likely[0] : likely[-1] + 1]
    ends, end = [], 0
    for p in window:
        end += 1 + (p * (total - len(window) - 1) >> 64)
        ends.append(end)
    return CountRow(likely[0], (*ends, total))


def _above(model: str, n_in: int, k: int, t: int) -> int:
    """The probability of more than t patches."""
    patterns = sum(comb(k, i) for i in range(t + 1))
    total = 0
    for r, p in _redundancy(n_in)[k].items():
        if model == "greedy":
            missed = _ONE - (sum(comb(r, i) for i in range(t + 1)) << 64 >> r)
        else:
            missed = _power(_ONE - (_ONE >> r), patterns)
        total += p * missed >> 64
    return total


@cache
def _redundancy(n_in: int) -> list[dict[int, int]]:
    """For k care bits, the probability of r redundant rows among them by r; k from 0 to `MAX_CARE`."""
    by_care: list[dict[int, int]] = [{0: _ONE}]
    for k in range(MAX_CARE):
        chances: dict[int, int] = {}
        for r, p in by_care[k].items():
            dependent = p >> (n_in - (k - r))
            for count, chance in ((r, p - dependent), (r + 1, dependent)):
                if chance:
                    chances[count] = chances.get(count, 0) + chance
        by_care.append(chances)
    return by_care


def _power(base: int, exponent: int) -> int:
    result = _ONE
    while exponent and result:
        if exponent & 1:
            result = result * base >> 64
        base = base * base >> 64
        exponent >>= 1
    return result
