"""The paper's greedy patch search on packed words: the solutions of a slice's kept rows, narrowed row by row.

Where elimination keeps the reduced rows, this keeps their complement, which is smaller and needs no
back-substitution: one solution, and a basis of the null space with a vector for each free column, which holds
a 1 there and no 1 in another free column. If a care row is zero on all of them, its bit is settled. If not,
its pivot is the lowest free column whose vector it is not zero on, and that vector leaves the basis.
"""

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Int32, UInt64
from numba import types
from numba.extending import intrinsic

from xorjax.gf2.network import XorNetwork

ONE = np.uint64(1)
ZERO = np.uint64(0)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_CHUNKS_PER_THREAD = 8


def encode_slices(
    bits: Bool[np.ndarray, " n"], care: Bool[np.ndarray, " n"], net: XorNetwork
) -> tuple[
    UInt64[np.ndarray, "n_slices code_words"], Int32[np.ndarray, " n_slices"], Int32[np.ndarray, " n_patches"]
]:
    """Code words, patches in each slice, and the patches' positions in their slices (slices in order).

    Care bits are taken in order; one that contradicts those kept before it becomes a patch (the paper's patch
    search). Free variables are 0 and pivots the lowest columns possible, as in the reduced row echelon form.
    Runs on numba's threads (`numba.set_num_threads`) and releases the GIL.
    """
    bit_words, care_words = to_words(bits), to_words(care)
    n_slices = -(-len(bits) // net.n_out)
    codes = np.empty((n_slices, net.code_words), dtype=np.uint64)
    n_patches = np.empty(n_slices, dtype=np.int32)
    solve = _solve if net.code_words == 1 else _solve_wide
    solve(bit_words, care_words, net.rows, net.n_in, len(bits), count_chunks(n_slices), codes, n_patches)
    return codes, n_patches, locate_patches(bit_words, care_words, net, len(bits), codes, n_patches)


def to_words(bits: Bool[np.ndarray, " n"]) -> UInt64[np.ndarray, " words"]:
    """Bit i becomes bit i % 64 of word i // 64."""
    packed = np.packbits(bits, bitorder="little")
    words = np.zeros(-(-len(bits) // 64), dtype="<u8")
    words.view(np.uint8)[: len(packed)] = packed
    return words.astype(np.uint64, copy=False)


def count_chunks(n_slices: int) -> int:
    """Into how many runs of slices the threads' work is cut."""
    return min(n_slices, _CHUNKS_PER_THREAD * numba.get_num_threads())


def locate_patches(
    bit_words: UInt64[np.ndarray, " words"],
    care_words: UInt64[np.ndarray, " words"],
    net: XorNetwork,
    n: int,
    codes: UInt64[np.ndarray, "n_slices code_words"],
    n_patches: Int32[np.ndarray, " n_slices"],
) -> Int32[np.ndarray, " n_patches"]:
    """The care bits that the code words get wrong: a code word meets every row that was kept, and each row
    that they settled without a contradiction."""
    ends = np.cumsum(n_patches, dtype=np.int64)
    positions = np.empty(ends[-1], dtype=np.int32)
    _locate(bit_words, care_words, net.rows, n, count_chunks(len(codes)), codes, n_patches, ends, positions)
    return positions


# `no_type_check`: what numba compiles must not be wrapped by the type checker that the tests install.


@intrinsic
@no_type_check
def trailing_zeros(typing_context, word):
    def codegen(context, builder, signature, arguments):
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), codegen


@intrinsic
@no_type_check
def parity(typing_context, word):
    def codegen(context, builder, signature, arguments):
        return builder.and_(builder.ctpop(arguments[0]), context.get_constant(types.uint64, 1))

    return types.uint64(types.uint64), codegen


def compile_parallel(function):
    """Compiled for all threads, and kept on disk where numba finds a directory it may write to."""
    try:
        return numba.njit(parallel=True, nogil=True, cache=True)(function)
    except RuntimeError:  # a read-only install and no writable home: compile in each process
        return numba.njit(parallel=True, nogil=True)(function)


@numba.njit(inline="always")
@no_type_check
def window(words, k, start, stop):
    """Word k of a packed plane, without its bits outside [start, stop)."""
    word = words[k]
    if k == start >> 6:
        word &= ALL << np.uint64(start & 63)
    if k == (stop - 1) >> 6:
        word &= ALL >> np.uint64(63 - ((stop - 1) & 63))
    return word


@compile_parallel
@no_type_check
def _solve(bits, care, rows, n_in, n, n_chunks, codes, n_patches):
    n_slices, n_out = len(codes), len(rows)
    n_padded = (n_in + 7) & ~7
    for chunk in numba.prange(n_chunks):
        null = np.zeros(64, dtype=np.uint64)  # a zero word is a vector that was removed, or never was
        for i in range(n_slices * chunk // n_chunks, n_slices * (chunk + 1) // n_chunks):
            start, stop = i * n_out, min((i + 1) * n_out, n)
            for j in range(n_in):
                null[j] = ONE << np.uint64(j)
            code, patches = ZERO, 0
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
                        continue
                    removed = null[trailing_zeros(hits)]
                    # An all-ones word stands for 1: without branches, both loops become vector code.
                    code ^= removed & (ZERO - wrong)
                    for j in range(n_padded):
                        null[j] ^= removed & (ZERO - parity(row & null[j]))
            codes[i, 0] = code
            n_patches[i] = patches


@compile_parallel
@no_type_check
def _solve_wide(bits, care, rows, n_in, n, n_chunks, codes, n_patches):
    """`_solve` where code words are two words, `low` and `high`."""
    n_slices, n_out = len(codes), len(rows)
    n_padded = (n_in + 7) & ~7
    for chunk in numba.prange(n_chunks):
        null_low, null_high = np.zeros(128, dtype=np.uint64), np.zeros(128, dtype=np.uint64)
        for i in range(n_slices * chunk // n_chunks, n_slices * (chunk + 1) // n_chunks):
            start, stop = i * n_out, min((i + 1) * n_out, n)
            for j in range(64):
                null_low[j], null_high[j] = ONE << np.uint64(j), ZERO
            for j in range(64, n_in):
                null_low[j], null_high[j] = ZERO, ONE << np.uint64(j - 64)
            low, high, patches = ZERO, ZERO, 0
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
                        continue
                    pivot += trailing_zeros(hits)
                    removed_low, removed_high = null_low[pivot], null_high[pivot]
                    low ^= removed_low & (ZERO - wrong)
                    high ^= removed_high & (ZERO - wrong)
                    for j in range(n_padded):
                        flip = ZERO - parity((row_low & null_low[j]) ^ (row_high & null_high[j]))
                        null_low[j] ^= removed_low & flip
                        null_high[j] ^= removed_high & flip
            codes[i, 0], codes[i, 1] = low, high
            n_patches[i] = patches


@compile_parallel
@no_type_check
def _locate(bits, care, rows, n, n_chunks, codes, n_patches, ends, positions):
    n_slices, n_out = len(codes), len(rows)
    words = codes.shape[1]
    for chunk in numba.prange(n_chunks):
        for i in range(n_slices * chunk // n_chunks, n_slices * (chunk + 1) // n_chunks):
            if n_patches[i] == 0:
                continue
            start, stop = i * n_out, min((i + 1) * n_out, n)
            at = ends[i] - n_patches[i]
            for k in range(start >> 6, ((stop - 1) >> 6) + 1):
                left = window(care, k, start, stop)
                while left:
                    bit = trailing_zeros(left)  # pyright: ignore[reportCallIssue]
                    left &= left - ONE
                    position = (k << 6) + bit - start
                    output = rows[position, 0] & codes[i, 0]
                    if words == 2:
                        output ^= rows[position, 1] & codes[i, 1]
                    if parity(output) ^ ((bits[k] >> np.uint64(bit)) & ONE):
                        positions[at] = position
                        at += 1
