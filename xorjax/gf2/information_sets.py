"""Information set decoding (Lee and Brickell, 1988): a small error pattern where the smallest is out of reach.

Independent and redundant rows of a slice trade places, by seeded exchanges, and each choice of independent rows is
followed by all patterns with at most two errors in them. Words are those of `gf2.syndrome`.
"""

from typing import no_type_check

import numba
import numpy as np

from xorjax.gf2.elimination import ONE, ZERO, popcount

_SEED = np.uint64(0x2545F4914F6CDD1D)
_BOUNDED_WORK = 1 << 23
_EXCHANGES = 4

# Like elimination's, these are compiled functions: the type checker must not wrap them.


@numba.njit
@no_type_check
def search_bounded(rank, n_redundant, columns, syndrome, of_column, of_row, pattern):
    """A small pattern by information set decoding; its weight, never more than the syndrome's ones. All but
    `pattern` are changed in place: columns and rows trade places."""
    words = (n_redundant + 63) >> 6
    state = _SEED
    best = np.int64(64 * words + 1)
    weights = np.empty(rank, dtype=np.int64)
    left = np.empty(words, dtype=np.uint64)
    n_rounds = max(16, _BOUNDED_WORK // max(1, rank * rank * words))
    for _ in range(n_rounds):
        left[:] = syndrome[:words]
        best = _keep_better(left, n_redundant, -1, -1, of_column, of_row, best, pattern)
        for a in range(-1, rank):
            weights[:] = 1 if a < 0 else 2
            for w in range(words):
                sum_of_first = syndrome[w] ^ columns[w, a] if a >= 0 else syndrome[w]
                for b in range(a + 1, rank):
                    weights[b] += np.int64(popcount(sum_of_first ^ columns[w, b]))
            lowest = best
            for b in range(a + 1, rank):
                lowest = min(lowest, weights[b])
            if lowest < best:
                b = a + 1
                while weights[b] != lowest:
                    b += 1
                for w in range(words):
                    left[w] = syndrome[w] ^ columns[w, b] ^ (columns[w, a] if a >= 0 else ZERO)
                best = _keep_better(left, n_redundant, a, b, of_column, of_row, best, pattern)
        for _ in range(_EXCHANGES):
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            a = np.int64((state >> np.uint64(33)) % np.uint64(rank))
            i = np.int64((state & np.uint64(0xFFFFFFFF)) % np.uint64(n_redundant))
            _exchange(rank, words, columns, of_column, syndrome, of_row, a, i)
    return best


@numba.njit
@no_type_check
def _keep_better(left, n_redundant, a, b, of_column, of_row, best, pattern):
    """Writes the pattern of the columns a and b, if 0 or more, and of the rows that are `left`, if it is smaller."""
    weight = np.int64(a >= 0) + np.int64(b >= 0)
    for word in left:
        weight += np.int64(popcount(word))
    if weight >= best:
        return best
    at = 0
    for column in (a, b):
        if column >= 0:
            pattern[at] = of_column[column]
            at += 1
    for i in range(n_redundant):
        if (left[i >> 6] >> np.uint64(i & 63)) & ONE:
            pattern[at] = of_row[i]
            at += 1
    return weight


@numba.njit
@no_type_check
def _exchange(rank, words, columns, of_column, syndrome, of_row, a, i):
    """Column a becomes row i's unit vector by row operations, if it can."""
    row, bit = i >> 6, np.uint64(i & 63)
    if not (columns[row, a] >> bit) & ONE:
        return
    in_syndrome = ZERO - ((syndrome[row] >> bit) & ONE)
    has = (columns[row, :rank] >> bit) & ONE
    has[a] = ZERO
    for w in range(words):
        added = columns[w, a] ^ (ONE << bit if w == row else ZERO)
        syndrome[w] ^= added & in_syndrome
        for b in range(rank):
            columns[w, b] ^= added & (ZERO - has[b])
    of_column[a], of_row[i] = of_row[i], of_column[a]
