"""Syndrome decoding: the fewest care bits of a slice without which its other care bits can be met.

A slice's care rows are independent rows and redundant ones, each the sum of some independent rows. What a code
word misses is an error pattern over the care bits; its syndrome has a bit for each redundant row: the parity of
the errors among the row and those that it is the sum of. A care bit's column holds the syndrome of an error
there, so a pattern is possible if and only if its columns' sum is the greedy pattern's syndrome, and the
smallest such pattern is the one wanted: decoding of a random linear code to its coset leader, which is hard in
general and easy here, since few rows are redundant.

Patterns of 1 to 7 bits are tried in turn by meeting in the middle: the sums of up to 3 columns in a hash table
behind a bitmap, those of up to 4 looked up in it. Where there are fewer code words than such patterns, all code
words are tried instead, in Gray code order. What is too redundant for either gets a bounded search
(`gf2.information_sets`).

Columns are in the care bits' reverse order, and of several smallest patterns the lexicographically first set of
columns is taken: the one whose errors come last. Greedy search with a single patch finds just that one, since
a row is redundant only by rows before it. (In meeting in the middle it is the first one met: the columns looked
up are taken in order, and the table keeps the first of equal sums.)
"""

from typing import no_type_check

import numba
import numpy as np

from xorjax.gf2.elimination import ONE, ZERO, popcount, trailing_zeros
from xorjax.gf2.information_sets import search_bounded

MAX_RANK_OF_ALL = 20
_MAX_WEIGHT = 7
_MAX_DIRECT_BITS = 10
_TABLE_BITS = 21  # for the sums of 3 of 192 columns: 128 kept rows and 64 redundant ones
_EMPTY = np.uint32(0xFFFFFFFF)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

# Like elimination's, these are compiled functions: the type checker must not wrap them.


@numba.njit
@no_type_check
def new_scratch(n_out, code_words):
    """What `fewest_errors` works on, for slices of `n_out` bits; untouched pages take no memory.

    kept_columns: [words, n_kept or more], a bit for each redundant row, 64 a word; syndrome: [words] likewise.
    of_kept, of_redundant: the numbers of the kept and the redundant rows' columns; kept_of: the inverse of
    of_kept. pattern: the result. Then all columns of up to 64 bits, and a table of their sums: keys, values
    and a bitmap.
    """
    words = (n_out + 63) >> 6
    return (
        np.empty((words, 64 * code_words), dtype=np.uint64),
        np.empty(words, dtype=np.uint64),
        np.empty(n_out, dtype=np.int64),
        np.empty(n_out, dtype=np.int64),
        np.empty(n_out, dtype=np.int64),
        np.empty(n_out, dtype=np.int64),
        np.empty(n_out, dtype=np.uint64),
        np.empty(1 << _TABLE_BITS, dtype=np.uint64),
        np.empty(1 << _TABLE_BITS, dtype=np.uint32),
        np.empty(1 << (_TABLE_BITS - 3), dtype=np.uint64),
    )


@numba.njit(inline="always")
@no_type_check
def fewest_errors(rank, n_redundant, scratch):
    """The smallest error pattern, into `scratch`'s as numbers of columns; its weight, and whether that is
    proven to be the minimum. The first four of `scratch` are given (a redundant row's column is a unit
    vector); a bounded search changes them."""
    kept_columns, syndrome, of_kept, of_redundant, _, pattern, columns, keys, values, bitmap = scratch
    searched = 0
    if n_redundant <= 64:
        for t in range(rank):
            columns[of_kept[t]] = kept_columns[0, t]
        for i in range(n_redundant):
            columns[of_redundant[i]] = ONE << np.uint64(i)
        n_columns = rank + n_redundant
        if n_redundant <= _MAX_DIRECT_BITS:
            weight = _search_direct(columns, n_columns, n_redundant, syndrome[0], values, pattern)
            if weight > 0:
                return weight, True
            searched = 3
        weight, searched = _search(
            columns, n_columns, n_redundant, syndrome[0], searched, keys, values, bitmap, pattern
        )
        if weight > 0:
            return weight, True
    if rank <= MAX_RANK_OF_ALL:
        return _try_all(rank, n_redundant, kept_columns, syndrome, of_kept, of_redundant, pattern), True
    weight = search_bounded(rank, n_redundant, kept_columns, syndrome, of_kept, of_redundant, pattern)
    return weight, weight == searched + 1


@numba.njit(inline="always")
@no_type_check
def _search_direct(columns, n_columns, n_redundant, syndrome, first, pattern):
    """The smallest pattern, if of 1 to 3 columns, by a table of the column of each syndrome; else 0."""
    first[: 1 << n_redundant] = _EMPTY
    for c in range(n_columns - 1, -1, -1):
        first[np.int64(columns[c])] = np.uint32(c)
    if first[np.int64(syndrome)] != _EMPTY:
        pattern[0] = first[np.int64(syndrome)]
        return 1
    for a in range(n_columns):
        found = first[np.int64(syndrome ^ columns[a])]
        if found != _EMPTY:
            pattern[0], pattern[1] = a, found
            return 2
    for a in range(n_columns):
        left = syndrome ^ columns[a]
        for b in range(a + 1, n_columns):
            found = first[np.int64(left ^ columns[b])]
            if found != _EMPTY:
                pattern[0], pattern[1], pattern[2] = a, b, found
                return 3
    return 0


@numba.njit
@no_type_check
def _search(columns, n_columns, n_redundant, syndrome, searched, keys, values, bitmap, pattern):
    """The smallest pattern of up to 7 columns, if it has more than `searched`; its weight (0 if there is none,
    or if trying all code words is less work) and the largest weight that was searched."""
    rank = n_columns - n_redundant
    # Is a pattern of 8 or fewer unlikely? Then one of 4 to 7 is, too, and they are not worth the time.
    is_hopeless = n_redundant > 60 or (np.int64(1) << n_redundant) > 4 * _choose(n_columns, 8)
    work_of_all = ((n_columns + 63) >> 6) << rank if rank <= MAX_RANK_OF_ALL else np.int64(1) << 62
    inner, size_bits = 0, 0
    for weight in range(searched + 1, _MAX_WEIGHT + 1):
        if weight == 1 or weight == 4 or weight == 6:
            inner = weight // 2 if weight > 1 else 1
            if (is_hopeless and inner > 1) or work_of_all <= _choose(n_columns, inner + 1):
                return 0, weight - 1
            size_bits = 3
            while (1 << size_bits) < 2 * _choose(n_columns, inner):
                size_bits += 1
            _fill(columns, n_columns, inner, size_bits, keys, values, bitmap)
        if _meet(
            columns, n_columns, syndrome, weight - inner, inner, size_bits, keys, values, bitmap, pattern
        ):
            return weight, weight
    return 0, _MAX_WEIGHT


@numba.njit
@no_type_check
def _choose(n, k):
    result = 1
    for i in range(k):
        result = result * (n - i) // (i + 1)
    return result


@numba.njit
@no_type_check
def _fill(columns, n_columns, inner, size_bits, keys, values, bitmap):
    """The sums of all sets of `inner` columns, in lexicographic order; of equal sums the first stays."""
    values[: 1 << size_bits] = _EMPTY
    bitmap[: 1 << (size_bits - 3)] = ZERO
    shift, last_slot = np.uint64(61 - size_bits), (1 << size_bits) - 1
    for a in range(n_columns if inner == 3 else 1):
        first = columns[a] if inner == 3 else ZERO
        for b in range(a + 1 if inner == 3 else 0, n_columns if inner >= 2 else 1):
            second = first ^ columns[b] if inner >= 2 else first
            members = np.uint32(a << 16 | b << 8)
            for c in range(b + 1 if inner >= 2 else 0, n_columns):
                key = second ^ columns[c]
                place = (key * _MULTIPLIER) >> shift
                slot = np.int64(place >> np.uint64(3))
                while values[slot] != _EMPTY and keys[slot] != key:
                    slot = (slot + 1) & last_slot
                if values[slot] == _EMPTY:
                    keys[slot] = key
                    values[slot] = members | np.uint32(c)
                    bitmap[np.int64(place >> np.uint64(6))] |= ONE << (place & np.uint64(63))


@numba.njit
@no_type_check
def _meet(columns, n_columns, syndrome, outer, inner, size_bits, keys, values, bitmap, pattern):
    """Looks up what each set of `outer` columns, in lexicographic order, leaves of the syndrome."""
    shift, last_slot = np.uint64(61 - size_bits), (1 << size_bits) - 1
    # The sets' first outer - 1 columns, and the syndrome that they leave; the last one is the inner loop.
    chosen = np.arange(max(outer - 1, 0))
    while True:
        left = syndrome
        for column in chosen:
            left ^= columns[column]
        begin = chosen[-1] + 1 if outer > 1 else 0
        end = n_columns if outer > 0 else 1
        for last in range(begin, end):
            key = left ^ columns[last] if outer > 0 else left
            place = (key * _MULTIPLIER) >> shift
            if (bitmap[np.int64(place >> np.uint64(6))] >> (place & np.uint64(63))) & ONE:
                slot = np.int64(place >> np.uint64(3))
                while values[slot] != _EMPTY and keys[slot] != key:
                    slot = (slot + 1) & last_slot
                if values[slot] != _EMPTY:
                    for i in range(outer - 1):
                        pattern[i] = chosen[i]
                    if outer > 0:
                        pattern[outer - 1] = last
                    for i in range(inner):
                        pattern[outer + i] = (values[slot] >> np.uint32(8 * (inner - 1 - i))) & np.uint32(255)
                    return True
        i = outer - 2
        while i >= 0 and chosen[i] >= n_columns - (outer - 1) + i:
            i -= 1
        if i < 0:
            return False
        chosen[i] += 1
        for later in range(i + 1, outer - 1):
            chosen[later] = chosen[later - 1] + 1


@numba.njit
@no_type_check
def _try_all(rank, n_redundant, kept_columns, syndrome, of_kept, of_redundant, pattern):
    """The smallest pattern of all: the greedy one plus every sum of generators, each what flipping one kept
    row does to the care bits."""
    words = (n_redundant + rank + 63) >> 6
    current = np.zeros(words, dtype=np.uint64)
    generators = np.zeros((rank, words), dtype=np.uint64)
    for t in range(rank):
        generators[t, of_kept[t] >> 6] |= ONE << np.uint64(of_kept[t] & 63)
    for i in range(n_redundant):
        word, shift, bit = i >> 6, np.uint64(i & 63), np.uint64(of_redundant[i] & 63)
        current[of_redundant[i] >> 6] |= ((syndrome[word] >> shift) & ONE) << bit
        for t in range(rank):
            generators[t, of_redundant[i] >> 6] |= ((kept_columns[word, t] >> shift) & ONE) << bit
    best = current.copy()
    best_weight = np.int64(0)
    for w in range(words):
        best_weight += np.int64(popcount(current[w]))
    for step in range(1, 1 << rank):
        flipped = generators[trailing_zeros(np.uint64(step))]
        weight = np.int64(0)
        for w in range(words):
            current[w] ^= flipped[w]
            weight += np.int64(popcount(current[w]))
        if weight < best_weight or (weight == best_weight and _is_before(current, best)):
            best_weight = weight
            best[:] = current
    at = 0
    for w in range(words):
        left = best[w]
        while left:
            pattern[at] = (w << 6) + trailing_zeros(left)
            left &= left - ONE
            at += 1
    return best_weight


@numba.njit
@no_type_check
def _is_before(one, other):
    """Of two sets of equal size, is the one lexicographically first?"""
    for w in range(len(one)):
        different = one[w] ^ other[w]
        if different:
            return ((one[w] >> np.uint64(trailing_zeros(different))) & ONE) == ONE
    return False
