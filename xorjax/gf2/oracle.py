"""The paper's greedy patch search by Gauss-Jordan elimination in galois: slow, plain, and the reference."""

import numpy as np
from jaxtyping import Bool, Int32, UInt64

from xorjax.gf2.network import XorNetwork


def encode_slices(
    bits: Bool[np.ndarray, " n"], care: Bool[np.ndarray, " n"], net: XorNetwork
) -> tuple[UInt64[np.ndarray, " n_slices"], Int32[np.ndarray, " n_slices"], Int32[np.ndarray, " n_patches"]]:
    """What `elimination.encode_slices` returns, from the definition: about a millisecond a care bit."""
    matrix = net.as_galois()
    codes, n_patches, positions = [], [], []
    for start in range(0, len(bits), net.n_out):
        code, patches = _encode_slice(
            bits[start : start + net.n_out], care[start : start + net.n_out], matrix
        )
        codes.append(code)
        n_patches.append(len(patches))
        positions += patches
    return np.array(codes, np.uint64), np.array(n_patches, np.int32), np.array(positions, np.int32)


def _encode_slice(bits, care, matrix) -> tuple[int, list[int]]:
    import galois

    n_in = matrix.shape[1]
    # The kept rows (row of M | bit) in reduced row echelon form, but for the rows' order, and their pivots.
    system = galois.GF2.Zeros((0, n_in + 1))
    pivots: list[int] = []
    patches = []
    for position in np.flatnonzero(care):
        row = galois.GF2(np.append(matrix[position], bits[position]).astype(np.uint8))
        if pivots:
            row = row + row[pivots] @ system
        nonzero = np.flatnonzero(row)
        if len(nonzero) == 0:
            continue
        pivot = int(nonzero[0])
        if pivot == n_in:  # 0 = 1
            patches.append(int(position))
            continue
        system = system + np.multiply.outer(system[:, pivot], row)
        system = np.vstack([system, row]).view(galois.GF2)
        pivots.append(pivot)
    code = sum(1 << pivot for pivot, row in zip(pivots, system, strict=True) if row[n_in])
    return code, patches
