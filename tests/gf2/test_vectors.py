"""The rows of a small network and all that it puts out, against their definition and galois."""

import galois
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.gf2.network import NetworkError
from xorjax.gf2.vectors import draw_rows, sign_vectors


@st.composite
def sizes(draw):
    n_in = draw(st.integers(1, 12))
    n_out = draw(st.integers(n_in, 3 * n_in + 40))
    return n_in, n_out, draw(st.integers(0, 2**64 - 1)), draw(st.none() | st.integers(1, n_in))


@given(size=sizes())
def test_rows_differ_as_far_as_they_can(size):
    n_in, n_out, seed, taps = size
    rows = draw_rows(n_in, n_out, seed, taps)
    assert rows.shape == (n_out, n_in)
    ones = rows.sum(axis=1)
    assert (ones == taps).all() if taps else (ones > 0).all()
    candidates = [c for c in range(1, 1 << n_in) if taps in (None, c.bit_count())]
    counts = np.bincount(rows.astype(int) @ (1 << np.arange(n_in)), minlength=1 << n_in)[candidates]
    assert counts.max() - counts.min() <= 1
    rank = n_in if taps is None or taps % 2 else n_in - 1
    rank = 1 if taps == n_in else rank
    assert np.linalg.matrix_rank(galois.GF2(rows)) == rank


def test_rows_by_the_page():
    """As docs/format.md says, for one case."""
    stream = np.random.PCG64(5)
    order = []
    for _ in range(3):
        keys = stream.random_raw(7)
        order += [1 + int(i) for i in np.argsort(keys, kind="stable")]
    assert draw_rows(3, 20, 5).tolist() == [[c & 1, c >> 1 & 1, c >> 2] for c in order[:20]]


@given(size=sizes().filter(lambda size: size[3] is None))
def test_vectors_are_the_networks_outputs(size):
    n_in, n_out, seed, _ = size
    matrix = galois.GF2(draw_rows(n_in, n_out, seed))
    vectors = sign_vectors(n_in, n_out, seed)
    assert vectors.shape == (1 << n_in, n_out)
    for c in np.random.default_rng(0).integers(0, 1 << n_in, 5):
        word = galois.GF2([int(c) >> j & 1 for j in range(n_in)])
        np.testing.assert_array_equal(vectors[c], matrix @ word == 1)
    assert len(np.unique(vectors, axis=0)) == 1 << n_in


@pytest.mark.parametrize(("n_in", "n_out", "taps"), [(0, 5, None), (13, 20, None), (5, 4, None), (3, 6, 4)])
def test_sizes_that_cannot_be(n_in, n_out, taps):
    with pytest.raises(NetworkError, match="must be"):
        draw_rows(n_in, n_out, 0, taps)


def test_rows_without_the_rank_are_drawn_again():
    """The 4 rows of one 1 have rank 4 only together, and some draws of 4 rows of three ones of 6 columns have not 6."""
    assert np.linalg.matrix_rank(galois.GF2(draw_rows(4, 4, 0, 1))) == 4
    assert np.linalg.matrix_rank(galois.GF2(draw_rows(6, 6, 1, 3))) == 6
