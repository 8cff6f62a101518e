"""Exact minimum patches: greedy search first, then syndrome decoding of the slices that it gave two or more.

A contradiction costs a patch whatever is kept, so a slice with no greedy patch or one is at its minimum. The
elimination is greedy's, which also notes the vectors that leave the basis of the null space. Made 0 on the rows
kept later, such a vector is 1 on its own row and 0 on all other kept rows (the dual basis), so a redundant
row's products with these vectors say which kept rows it is the sum of, and adding the vector of a kept row to
the code word flips that row's bit and no other kept row's.
"""

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Int32, UInt64

from xorjax.gf2.elimination import (
    ONE,
    ZERO,
    compile_parallel,
    count_chunks,
    locate_patches,
    parity,
    to_words,
    trailing_zeros,
    window,
)
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.syndrome import fewest_errors, new_scratch


def encode_slices(
    bits: Bool[np.ndarray, " n"], care: Bool[np.ndarray, " n"], net: XorNetwork
) -> tuple[
    UInt64[np.ndarray, "n_slices code_words"],
    Int32[np.ndarray, " n_slices"],
    Int32[np.ndarray, " n_patches"],
    int,
]:
    """Code words, patches in each slice, the patches' positions (slices in order), and `n_bounded`.

    A slice's patches are the fewest possible, and of several such sets the last: compared from their last
    positions down, the set with the later one. The code word puts out the care bits with exactly these wrong;
    its free variables are 0 and its pivots the lowest columns possible, as in greedy search.

    The search is exact, whatever the care bits, up to n_in = 20, and beyond it for slices that need 7 patches
    or fewer and are not too redundant to have a pattern of 8 (`gf2.syndrome`). Others get the best of a seeded
    search, never more than greedy's; `n_bounded` counts those whose patches are not proven to be the fewest.
    The answer depends neither on the machine nor on the threads (`numba.set_num_threads`); the GIL is released.
    """
    bit_words, care_words = to_words(bits), to_words(care)
    n_slices = -(-len(bits) // net.n_out)
    codes = np.empty((n_slices, net.code_words), dtype=np.uint64)
    n_patches = np.empty(n_slices, dtype=np.int32)
    bounded = np.zeros(n_slices, dtype=np.bool_)
    n_chunks = count_chunks(n_slices)
    solve = _solve if net.code_words == 1 else _solve_wide
    solve(bit_words, care_words, net.rows, net.n_in, len(bits), n_chunks, codes, n_patches, bounded)
    positions = locate_patches(bit_words, care_words, net, len(bits), codes, n_patches)
    return codes, n_patches, positions, int(bounded.sum())


@compile_parallel
@no_type_check
def _solve(bits, care, rows, n_in, n, n_chunks, codes, n_patches, bounded):
    n_slices, n_out = len(codes), len(rows)
    n_padded = (n_in + 7) & ~7
    for chunk in numba.prange(n_chunks):
        null = np.zeros(64, dtype=np.uint64)  # as in elimination
        removals = np.empty((1, 64), dtype=np.uint64)
        kept_at, redundant_at = np.empty(64, dtype=np.int32), np.empty(n_out, dtype=np.int32)
        scratch = new_scratch(n_out, codes.shape[1])
        for i in range(n_slices * chunk // n_chunks, n_slices * (chunk + 1) // n_chunks):
            start, stop = i * n_out, min((i + 1) * n_out, n)
            for j in range(n_in):
                null[j] = ONE << np.uint64(j)
            code, patches, n_kept, n_redundant = ZERO, 0, 0, 0
            for k in range(start >> 6, ((stop - 1) >> 6) + 1):
                left = window(care, k, start, stop)
                while left:
                    bit = trailing_zeros(left)  # pyright: ignore[reportCallIssue]
                    left &= left - ONE
                    row = rows[(k << 6) + bit - start, 0]
                    wrong = parity(row & code) ^ ((bits[k] >> np.uint64(bit)) & ONE)
                    hits = ZERO
                    for j in range(n_padded):
                        hits |= parity(row & null[j]) << np.uint64(j)
                    if not hits:
                        patches += np.int64(wrong)
                        redundant_at[n_redundant] = (k << 6) + bit - start
                        n_redundant += 1
                        continue
                    removed = null[trailing_zeros(hits)]
                    removals[0, n_kept] = removed
                    kept_at[n_kept] = (k << 6) + bit - start
                    n_kept += 1
                    code ^= removed & (ZERO - wrong)
                    for j in range(n_padded):
                        null[j] ^= removed & (ZERO - parity(row & null[j]))
            codes[i, 0] = code
            n_patches[i] = patches
            if patches > 1:
                n_patches[i], bounded[i] = _improve(
                    bits,
                    rows,
                    start,
                    removals,
                    kept_at[:n_kept],
                    redundant_at[:n_redundant],
                    scratch,
                    codes[i],
                )


@compile_parallel
@no_type_check
def _solve_wide(bits, care, rows, n_in, n, n_chunks, codes, n_patches, bounded):
    """`_solve` where code words are two words, `low` and `high`."""
    n_slices, n_out = len(codes), len(rows)
    n_padded = (n_in + 7) & ~7
    for chunk in numba.prange(n_chunks):
        null_low, null_high = np.zeros(128, dtype=np.uint64), np.zeros(128, dtype=np.uint64)
        removals = np.empty((2, 128), dtype=np.uint64)
        kept_at, redundant_at = np.empty(128, dtype=np.int32), np.empty(n_out, dtype=np.int32)
        scratch = new_scratch(n_out, codes.shape[1])
        for i in range(n_slices * chunk // n_chunks, n_slices * (chunk + 1) // n_chunks):
            start, stop = i * n_out, min((i + 1) * n_out, n)
            for j in range(64):
                null_low[j], null_high[j] = ONE << np.uint64(j), ZERO
            for j in range(64, n_in):
                null_low[j], null_high[j] = ZERO, ONE << np.uint64(j - 64)
            low, high, patches, n_kept, n_redundant = ZERO, ZERO, 0, 0, 0
            for k in range(start >> 6, ((stop - 1) >> 6) + 1):
                left = window(care, k, start, stop)
                while left:
                    bit = trailing_zeros(left)  # pyright: ignore[reportCallIssue]
                    left &= left - ONE
                    row_low = rows[(k << 6) + bit - start, 0]
                    row_high = rows[(k << 6) + bit - start, 1]
                    wrong = parity((row_low & low) ^ (row_high & high)) ^ ((bits[k] >> np.uint64(bit)) & ONE)
                    hits, pivot = ZERO, 0
                    for j in range(64):
                        hits |= parity((row_low & null_low[j]) ^ (row_high & null_high[j])) << np.uint64(j)
                    if not hits:
                        pivot = 64
                        for j in range(64, n_padded):
                            product = parity((row_low & null_low[j]) ^ (row_high & null_high[j]))
                            hits |= product << np.uint64(j - 64)
                    if not hits:
                        patches += np.int64(wrong)
                        redundant_at[n_redundant] = (k << 6) + bit - start
                        n_redundant += 1
                        continue
                    pivot += trailing_zeros(hits)
                    removed_low, removed_high = null_low[pivot], null_high[pivot]
                    removals[0, n_kept], removals[1, n_kept] = removed_low, removed_high
                    kept_at[n_kept] = (k << 6) + bit - start
                    n_kept += 1
                    low ^= removed_low & (ZERO - wrong)
                    high ^= removed_high & (ZERO - wrong)
                    for j in range(n_padded):
                        flip = ZERO - parity((row_low & null_low[j]) ^ (row_high & null_high[j]))
                        null_low[j] ^= removed_low & flip
                        null_high[j] ^= removed_high & flip
            codes[i, 0], codes[i, 1] = low, high
            n_patches[i] = patches
            if patches > 1:
                n_patches[i], bounded[i] = _improve(
                    bits,
                    rows,
                    start,
                    removals,
                    kept_at[:n_kept],
                    redundant_at[:n_redundant],
                    scratch,
                    codes[i],
                )


@numba.njit
@no_type_check
def _improve(bits, rows, start, removals, kept_at, redundant_at, scratch, code):
    """Turns a slice's greedy code word into the one with the fewest patches; their number, and whether that is
    not proven to be the minimum. `removals` become the dual basis."""
    words, n_kept, n_redundant = len(code), len(kept_at), len(redundant_at)
    dual = removals
    columns, syndrome, of_kept, of_redundant, kept_of, pattern = scratch[:6]
    for w in range((n_redundant + 63) >> 6):
        syndrome[w] = ZERO
        for t in range(n_kept):
            columns[w, t] = ZERO
    if words == 1:
        low = dual[0]
        for t in range(1, n_kept):
            row, removed = rows[kept_at[t], 0], low[t]
            for j in range(t):
                low[j] ^= removed & (ZERO - parity(row & low[j]))
        for i in range(n_redundant):
            row, shift, column = rows[redundant_at[i], 0], np.uint64(i & 63), columns[i >> 6]
            for j in range(n_kept):
                column[j] |= parity(row & low[j]) << shift
    else:
        low, high = dual[0], dual[1]
        for t in range(1, n_kept):
            row_low, row_high = rows[kept_at[t], 0], rows[kept_at[t], 1]
            removed_low, removed_high = low[t], high[t]
            for j in range(t):
                flip = ZERO - parity((row_low & low[j]) ^ (row_high & high[j]))
                low[j] ^= removed_low & flip
                high[j] ^= removed_high & flip
        for i in range(n_redundant):
            row_low, row_high = rows[redundant_at[i], 0], rows[redundant_at[i], 1]
            shift, column = np.uint64(i & 63), columns[i >> 6]
            for j in range(n_kept):
                column[j] |= parity((row_low & low[j]) ^ (row_high & high[j])) << shift
    for i in range(n_redundant):
        position = redundant_at[i]
        output = rows[position, 0] & code[0]
        if words == 2:
            output ^= rows[position, 1] & code[1]
        wanted = bits[(start + position) >> 6] >> np.uint64((start + position) & 63)
        syndrome[i >> 6] |= (parity(output) ^ (wanted & ONE)) << np.uint64(i & 63)

    # Columns in reverse order of their care bits: number c is care bit n_care - 1 - c.
    n_care = n_kept + n_redundant
    t, i = n_kept - 1, n_redundant - 1
    for c in range(n_care):
        if i < 0 or (t >= 0 and kept_at[t] > redundant_at[i]):
            of_kept[t], kept_of[c] = c, t
            t -= 1
        else:
            of_redundant[i], kept_of[c] = c, -1
            i -= 1
    weight, exact = fewest_errors(n_kept, n_redundant, scratch)
    for i in range(weight):
        t = kept_of[pattern[i]]
        if t >= 0:
            for w in range(words):
                code[w] ^= dual[w, t]
    return weight, not exact
