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

_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_CHUNKS_PER_THREAD = 8


def encode_slices(
    bits: Bool[np.ndarray, " n"], care: Bool[np.ndarray, " n"], net: XorNetwork
) -> tuple[UInt64[np.ndarray, " n_slices"], Int32[np.ndarray, " n_slices"], Int32[np.ndarray, " n_patches"]]:
    """Code words, patches in each slice, and the patches' positions in their slices (slices in order).

    Care bits are taken in order; one that contradicts those kept before it becomes a patch (the paper's patch
    search). Free variables are 0 and pivots the lowest columns possible, as in the reduced row echelon form.
    Runs on numba's threads (`numba.set_num_threads`) and releases the GIL.
    """
    n_slices = -(-len(bits) // net.n_out)
    bit_words, care_words = _words(bits), _words(care)
    codes = np.empty(n_slices, dtype=np.uint64)
    n_patches = np.empty(n_slices, dtype=np.int32)
    n_chunks = min(n_slices, _CHUNKS_PER_THREAD * numba.get_num_threads())
    _solve(bit_words, care_words, net.rows, net.n_in, len(bits), n_chunks, codes, n_patches)
    ends = np.cumsum(n_patches, dtype=np.int64)
    positions = np.empty(ends[-1], dtype=np.int32)
    _locate(bit_words, care_words, net.rows, len(bits), n_chunks, codes, n_patches, ends, positions)
    return codes, n_patches, positions


def _words(bits: Bool[np.ndarray, " n"]) -> UInt64[np.ndarray, " words"]:
    packed = np.packbits(bits, bitorder="little")
    words = np.zeros(-(-len(bits) // 64), dtype="<u8")
    words.view(np.uint8)[: len(packed)] = packed
    return words.astype(np.uint64, copy=False)


# `no_type_check`: what numba compiles must not be wrapped by the type checker that the tests install.


@intrinsic
@no_type_check
def _trailing_zeros(typing_context, word):
    def codegen(context, builder, signature, arguments):
        return builder.cttz(arguments[0], context.get_constant(types.boolean, True))

    return types.int64(types.uint64), codegen


@intrinsic
@no_type_check
def _parity(typing_context, word):
    def codegen(context, builder, signature, arguments):
        return builder.and_(builder.ctpop(arguments[0]), context.get_constant(types.uint64, 1))

    return types.uint64(types.uint64), codegen


def _compile(function):
    """Compiled for all threads, and kept on disk where numba finds a directory it may write to."""
    try:
        return numba.njit(parallel=True, nogil=True, cache=True)(function)
    except RuntimeError:  # a read-only install and no writable home: compile in each process
        return numba.njit(parallel=True, nogil=True)(function)


@numba.njit(inline="always")
@no_type_check
def _window(words, k, start, stop):
    """Word k of a packed plane, without its bits outside [start, stop)."""
    word = words[k]
    if k == start >> 6:
        word &= _ALL << np.uint64(start & 63)
    if k == (stop - 1) >> 6:
        word &= _ALL >> np.uint64(63 - ((stop - 1) & 63))
    return word


@_compile
@no_type_check
def _solve(bits, care, rows, n_in, n, n_chunks, codes, n_patches):
    n_slices, n_out = len(codes), len(rows)
    n_padded = (n_in + 7) & ~7
    for chunk in numba.prange(n_chunks):
        null = np.zeros(64, dtype=np.uint64)  # a zero word is a vector that was removed, or never was
        for i in range(n_slices * chunk // n_chunks, n_slices * (chunk + 1) // n_chunks):
            start, stop = i * n_out, min((i + 1) * n_out, n)
            for j in range(n_in):
                null[j] = _ONE << np.uint64(j)
            code, patches = np.uint64(0), 0
            for k in range(start >> 6, ((stop - 1) >> 6) + 1):
                left = _window(care, k, start, stop)
                while left:
                    bit = _trailing_zeros(left)  # pyright: ignore[reportCallIssue]
                    left &= left - _ONE
                    row = rows[(k << 6) + bit - start]
                    wrong = _parity(row & code) ^ ((bits[k] >> np.uint64(bit)) & _ONE)
                    hits = np.uint64(0)
                    for j in range(n_padded):
                        hits |= _parity(row & null[j]) << np.uint64(j)
                    if not hits:
                        patches += np.int64(wrong)
                        continue
                    removed = null[_trailing_zeros(hits)]
                    # An all-ones word stands for 1: without branches, both loops become vector code.
                    code ^= removed & (np.uint64(0) - wrong)
                    for j in range(n_padded):
                        null[j] ^= removed & (np.uint64(0) - _parity(row & null[j]))
            codes[i] = code
            n_patches[i] = patches


@_compile
@no_type_check
def _locate(bits, care, rows, n, n_chunks, codes, n_patches, ends, positions):
    """The patches are the care bits that the code word gets wrong: it satisfies every row that was kept, and
    each row that was not contradicted them."""
    n_slices, n_out = len(codes), len(rows)
    for chunk in numba.prange(n_chunks):
        for i in range(n_slices * chunk // n_chunks, n_slices * (chunk + 1) // n_chunks):
            if n_patches[i] == 0:
                continue
            start, stop = i * n_out, min((i + 1) * n_out, n)
            at = ends[i] - n_patches[i]
            for k in range(start >> 6, ((stop - 1) >> 6) + 1):
                left = _window(care, k, start, stop)
                while left:
                    bit = _trailing_zeros(left)  # pyright: ignore[reportCallIssue]
                    left &= left - _ONE
                    position = (k << 6) + bit - start
                    if _parity(rows[position] & codes[i]) ^ ((bits[k] >> np.uint64(bit)) & _ONE):
                        positions[at] = position
                        at += 1
