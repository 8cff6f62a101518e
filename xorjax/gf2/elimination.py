"""The paper's greedy patch search on packed words: the solutions of a slice's kept rows, narrowed row by row.

Where elimination keeps the reduced rows, this keeps their complement, which is smaller and needs no
back-substitution: one solution, and a basis of the null space with a vector for each free column, which holds
a 1 there and no 1 in another free column. If a care row is zero on all of them, its bit is settled. If not,
its pivot is the lowest free column whose vector it is not zero on, and that vector leaves the basis.
"""

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Bool, Int32, UInt64
from numba import types
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.extending import intrinsic

from xorjax.gf2.compiled import compile_parallel, n_threads
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_bits

ONE = np.uint64(1)
ZERO = np.uint64(0)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_CHUNKS_PER_THREAD = 8


class Plane(NamedTuple):
    """A plane to encode, as the compiled functions take it."""

    bits: UInt64[np.ndarray, " words"]
    """Bit i is bit i % 64 of word i // 64."""
    care: UInt64[np.ndarray, " words"]
    rows: UInt64[np.ndarray, "code_words n_out"]
    n_in: int
    n: int
    n_slices: int
    n_chunks: int
    """Into how many runs of slices the threads' work is cut."""

    @classmethod
    def of(cls, bits: Bool[np.ndarray, " n"], care: Bool[np.ndarray, " n"], net: XorNetwork) -> "Plane":
        n_slices = -(-len(bits) // net.n_out)
        n_chunks = min(n_slices, _CHUNKS_PER_THREAD * n_threads())
        words = pack_bits(bits, np.uint64), pack_bits(care, np.uint64)
        return cls(*words, net.rows.T.copy(), net.n_in, len(bits), n_slices, n_chunks)

    @property
    def zero(self) -> tuple[np.uint64, ...]:
        """The code word 0."""
        return (ZERO,) * len(self.rows)


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
    plane = Plane.of(bits, care, net)
    codes = np.empty((net.code_words, plane.n_slices), dtype=np.uint64)
    n_patches = np.empty(plane.n_slices, dtype=np.int32)
    _solve(plane, plane.zero, codes, n_patches)
    return np.ascontiguousarray(codes.T), n_patches, locate_patches(plane, codes, n_patches)


def locate_patches(
    plane: Plane, codes: UInt64[np.ndarray, "code_words n_slices"], n_patches: Int32[np.ndarray, " n_slices"]
) -> Int32[np.ndarray, " n_patches"]:
    """The care bits that the code words get wrong: a code word meets every row that was kept, and each row
    that they settled without a contradiction."""
    ends = np.cumsum(n_patches, dtype=np.int64)
    positions = np.empty(ends[-1], dtype=np.int32)
    _locate(plane, plane.zero, codes, n_patches, ends, positions)
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
def popcount(typing_context, word):
    def codegen(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


# Vectors over GF(2) are tuples of words: compiled for each number of words, they stay in registers, and loops
# over them are unrolled. (`forceinline`: a call in an inner loop would keep it from becoming vector code.)


@numba.njit(forceinline=True)
@no_type_check
def vector_at(vectors, j, like):
    """Column j of [words, many]; `like` is a vector of as many words."""
    for w in range(len(like)):
        like = tuple_setitem(like, w, vectors[w, j])
    return like


@numba.njit(forceinline=True)
@no_type_check
def put(vectors, j, vector):
    """Makes `vector` column j of [words, many]."""
    for w in range(len(vector)):
        vectors[w, j] = vector[w]


@numba.njit(forceinline=True)
@no_type_check
def add(one, other, factor):
    """`one`, plus `other` if `factor` is 1 and not 0."""
    for w in range(len(one)):
        # An all-ones word stands for 1: without branches, loops become vector code.
        one = tuple_setitem(one, w, one[w] ^ (other[w] & (ZERO - factor)))
    return one


@numba.njit(forceinline=True)
@no_type_check
def product(one, other):
    """The scalar product, 0 or 1."""
    common = ZERO
    for w in range(len(one)):
        common ^= one[w] & other[w]
    return popcount(common) & ONE


@numba.njit(forceinline=True)
@no_type_check
def clear(vectors, n, row, removed):
    """Adds `removed`, whose product with `row` is 1, to those of the first n vectors that have that product too."""
    for j in range(n):
        vector = vector_at(vectors, j, row)
        put(vectors, j, add(vector, removed, product(row, vector)))


@numba.njit(forceinline=True)
@no_type_check
def _find_pivot(vectors, n, row):
    """The lowest of the first n vectors whose product with `row` is 1, or -1."""
    for w in range(len(row)):
        hits = ZERO
        for j in range(64 * w, n if w == len(row) - 1 else 64 * w + 64):
            hits |= product(row, vector_at(vectors, j, row)) << np.uint64(j & 63)
        if hits:
            return (w << 6) + trailing_zeros(hits)
    return -1


@numba.njit(forceinline=True)
@no_type_check
def slice_bounds(plane, i):
    n_out = plane.rows.shape[1]
    return i * n_out, min((i + 1) * n_out, plane.n)


@numba.njit(forceinline=True)
@no_type_check
def window(words, k, start, stop):
    """Word k of a packed plane, without its bits outside [start, stop)."""
    word = words[k]
    if k == start >> 6:
        word &= ALL << np.uint64(start & 63)
    if k == (stop - 1) >> 6:
        word &= ALL >> np.uint64(63 - ((stop - 1) & 63))
    return word


@numba.njit(forceinline=True)
@no_type_check
def eliminate(plane, i, zero, null, notes):
    """Slice i's code word, and the numbers of its patches, kept rows and redundant rows (0 without notes).

    null: [words, 64 words], room for the basis of the null space. notes: None, or a tuple of arrays to write to:
    the vectors that leave the basis, [words, 64 words], the kept rows' positions and the redundant ones'.
    """
    start, stop = slice_bounds(plane, i)
    n_padded = (plane.n_in + 7) & ~7  # a zero vector is one that was removed, or never was
    for w in range(len(zero)):
        for j in range(n_padded):
            null[w, j] = ONE << np.uint64(j & 63) if j >> 6 == w and j < plane.n_in else ZERO
    code, n_patches, n_kept, n_redundant = zero, 0, 0, 0
    for k in range(start >> 6, ((stop - 1) >> 6) + 1):
        left = window(plane.care, k, start, stop)
        while left:
            bit = trailing_zeros(left)  # pyright: ignore[reportCallIssue]
            left &= left - ONE
            position = (k << 6) + bit - start
            row = vector_at(plane.rows, position, zero)
            wrong = product(row, code) ^ ((plane.bits[k] >> np.uint64(bit)) & ONE)
            pivot = _find_pivot(null, n_padded, row)
            if pivot < 0:
                n_patches += np.int64(wrong)
                if notes is not None:
                    notes[2][n_redundant] = position
                    n_redundant += 1
                continue
            removed = vector_at(null, pivot, zero)
            if notes is not None:
                put(notes[0], n_kept, removed)
                notes[1][n_kept] = position
                n_kept += 1
            code = add(code, removed, wrong)
            clear(null, n_padded, row, removed)
    return code, n_patches, n_kept, n_redundant


@compile_parallel
@no_type_check
def _solve(plane, zero, codes, n_patches):
    for chunk in numba.prange(plane.n_chunks):
        null = np.empty((len(zero), 64 * len(zero)), dtype=np.uint64)
        first, end = plane.n_slices * chunk // plane.n_chunks, plane.n_slices * (chunk + 1) // plane.n_chunks
        for i in range(first, end):
            code, n_patches[i], _, _ = eliminate(plane, i, zero, null, None)
            put(codes, i, code)


@compile_parallel
@no_type_check
def _locate(plane, zero, codes, n_patches, ends, positions):
    for i in numba.prange(plane.n_slices):
        if n_patches[i] == 0:
            continue
        start, stop = slice_bounds(plane, i)
        code, at = vector_at(codes, i, zero), ends[i] - n_patches[i]
        for k in range(start >> 6, ((stop - 1) >> 6) + 1):
            left = window(plane.care, k, start, stop)
            while left:
                bit = trailing_zeros(left)  # pyright: ignore[reportCallIssue]
                left &= left - ONE
                position = (k << 6) + bit - start
                output = product(vector_at(plane.rows, position, zero), code)
                if output ^ ((plane.bits[k] >> np.uint64(bit)) & ONE):
                    positions[at] = position
                    at += 1
