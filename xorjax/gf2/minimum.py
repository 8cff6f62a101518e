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

from xorjax.gf2.compiled import compile_parallel
from xorjax.gf2.elimination import (
    ONE,
    ZERO,
    Plane,
    add,
    clear,
    eliminate,
    locate_patches,
    product,
    put,
    vector_at,
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
    plane = Plane.of(bits, care, net)
    codes = np.empty((net.code_words, plane.n_slices), dtype=np.uint64)
    n_patches = np.empty(plane.n_slices, dtype=np.int32)
    bounded = np.zeros(plane.n_slices, dtype=np.bool_)
    _solve(plane, plane.zero, codes, n_patches, bounded)
    positions = locate_patches(plane, codes, n_patches)
    return np.ascontiguousarray(codes.T), n_patches, positions, int(bounded.sum())


@compile_parallel
@no_type_check
def _solve(plane, zero, codes, n_patches, bounded):
    for chunk in numba.prange(plane.n_chunks):
        words, n_out = len(zero), plane.rows.shape[1]
        null = np.empty((words, 64 * words), dtype=np.uint64)
        removed = np.empty((words, 64 * words), dtype=np.uint64)
        kept_at, redundant_at = np.empty(64 * words, dtype=np.int32), np.empty(n_out, dtype=np.int32)
        notes, scratch = (removed, kept_at, redundant_at), new_scratch(n_out, words)
        first, end = plane.n_slices * chunk // plane.n_chunks, plane.n_slices * (chunk + 1) // plane.n_chunks
        for i in range(first, end):
            code, n_patches[i], n_kept, n_redundant = eliminate(plane, i, zero, null, notes)
            if n_patches[i] > 1:
                code, n_patches[i], bounded[i] = _improve(
                    plane, i * n_out, code, removed, kept_at[:n_kept], redundant_at[:n_redundant], scratch
                )
            put(codes, i, code)


@numba.njit
@no_type_check
def _improve(plane, start, code, dual, kept_at, redundant_at, scratch):
    """The code word with the fewest patches of the slice at `start`, from greedy's; their number, and whether
    that is not proven to be the minimum. `dual`, the vectors that left the basis, becomes the dual basis."""
    n_kept, n_redundant = len(kept_at), len(redundant_at)
    columns, syndrome, of_kept, of_redundant, kept_of, pattern = scratch[:6]
    for w in range((n_redundant + 63) >> 6):
        syndrome[w] = ZERO
        for t in range(n_kept):
            columns[w, t] = ZERO
    for t in range(1, n_kept):
        clear(dual, t, vector_at(plane.rows, kept_at[t], code), vector_at(dual, t, code))
    for i in range(n_redundant):
        row, shift, column = vector_at(plane.rows, redundant_at[i], code), np.uint64(i & 63), columns[i >> 6]
        for t in range(n_kept):
            column[t] |= product(row, vector_at(dual, t, code)) << shift
        bit = start + redundant_at[i]
        wanted = plane.bits[bit >> 6] >> np.uint64(bit & 63)
        syndrome[i >> 6] |= (product(row, code) ^ (wanted & ONE)) << shift

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
            code = add(code, vector_at(dual, t, code), ONE)
    return code, weight, not exact
