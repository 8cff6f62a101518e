"""Both patch searches from their definitions, by elimination in galois: slow, plain, and the reference."""

from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int32, UInt64

from xorjax.gf2.compiled import import_galois
from xorjax.gf2.network import XorNetwork


def encode_slices(
    bits: Bool[np.ndarray, " n"], care: Bool[np.ndarray, " n"], net: XorNetwork, method: str = "greedy"
) -> tuple[
    UInt64[np.ndarray, "n_slices code_words"], Int32[np.ndarray, " n_slices"], Int32[np.ndarray, " n_patches"]
]:
    """What `elimination.encode_slices` ("greedy") or `minimum.encode_slices` ("minimum", without its bound
    and its count) returns. Greedy takes about a millisecond a care bit; minimum tries all sets of care bits of
    1, 2, ... in order, so it takes for ever where a slice needs more than a few patches.
    """
    matrix = net.as_galois()
    codes, n_patches, positions = [], [], []
    for start in range(0, len(bits), net.n_out):
        wanted, cared = bits[start : start + net.n_out], care[start : start + net.n_out]
        patches = [] if method == "greedy" else _minimum_patches(wanted, cared, matrix)
        kept = cared.copy()
        kept[patches] = False
        code, contradictions = _encode_slice(wanted, kept, matrix)
        codes.append([code >> (64 * word) & (2**64 - 1) for word in range(net.code_words)])
        n_patches.append(len(patches + contradictions))
        positions += patches + contradictions
    return np.array(codes, np.uint64), np.array(n_patches, np.int32), np.array(positions, np.int32)


def _encode_slice(bits, care, matrix) -> tuple[int, list[int]]:
    galois = import_galois()
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


def _minimum_patches(bits, care, matrix) -> list[int]:
    """The fewest care bits without which the others can be met; of several such sets the one whose positions,
    compared from the last one down, are later."""
    cared = np.flatnonzero(care)[::-1]
    if len(cared) == 0:
        return []
    # The left null space of the care rows is a parity check of what code words can put out on the care bits.
    check = np.array(matrix[cared].left_null_space(), dtype=np.uint8)
    columns = [int("".join(map(str, column)), 2) if len(column) else 0 for column in check.T]
    syndrome = 0
    for bit, column in zip(bits[cared], columns, strict=True):
        syndrome ^= int(bit) * column
    for n_patches in range(len(cared) + 1):
        for patches in combinations(range(len(cared)), n_patches):
            left = syndrome
            for k in patches:
                left ^= columns[k]
            if left == 0:
                return [int(cared[k]) for k in reversed(patches)]
    raise AssertionError("all care bits patched meet any syndrome")
