"""The oracle itself against the definition (galois's row reduction after every care bit) and by hand."""

import galois
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from xorjax.gf2 import oracle
from xorjax.gf2.network import XorNetwork


def encode_by_row_reduction(bits, care, net):
    """One slice: append a row, reduce, take it back if 0 = 1 follows; read the solution off at the end."""
    n_in = net.n_in
    kept = galois.GF2.Zeros((0, n_in + 1))
    patches = []
    for position in np.flatnonzero(care):
        row = galois.GF2([[*net.matrix[position], int(bits[position])]])
        longer = np.vstack([kept, row]).view(galois.GF2)
        reduced = longer.row_reduce()
        if any(not row[:n_in].any() and row[n_in] for row in reduced):
            patches.append(position)
        else:
            kept = longer
    if len(kept) == 0:
        return 0, patches
    code = 0
    for row in kept.row_reduce():
        if row.any():
            code |= int(row[n_in]) << int(np.flatnonzero(row)[0])
    return code, patches


@settings(max_examples=100)
@given(st.integers(1, 12), st.integers(1, 14), st.floats(0, 1), st.integers(0, 2**32))
def test_equal_to_row_reduction_after_every_care_bit(n_in, more, rate, seed):
    rng = np.random.default_rng(seed)
    n_out = n_in + more
    net = XorNetwork.from_matrix(rng.integers(0, 2, (n_out, n_in)))
    bits, care = rng.random(n_out) < 0.5, rng.random(n_out) < rate
    codes, n_patches, positions = oracle.encode_slices(bits, care, net)
    code, patches = encode_by_row_reduction(bits, care, net)
    assert codes.tolist() == [[code]]
    assert n_patches.tolist() == [len(patches)]
    assert positions.tolist() == patches


def test_a_slice_worked_by_hand():
    net = XorNetwork.from_matrix(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 0, 0]]))
    bits = np.array([True, False, False, True])
    # x0 + x1 = 1 and x1 + x2 = 0 force x0 + x2 = 1, which bit 2 denies: a patch. Bit 3 makes x0 = 1, the rest 0.
    codes, n_patches, positions = oracle.encode_slices(bits, np.ones(4, dtype=bool), net)
    assert (codes.tolist(), n_patches.tolist(), positions.tolist()) == ([[0b001]], [1], [2])
    # Without the last row x2 is free, and 0: x1 = 0 and x0 = 1 follow.
    codes, n_patches, positions = oracle.encode_slices(bits, np.array([True, True, False, False]), net)
    assert (codes.tolist(), n_patches.tolist(), positions.tolist()) == ([[0b001]], [0], [])
