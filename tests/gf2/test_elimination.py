"""The numba encoder against the galois one, bit for bit, over shapes, rates and networks of any rank."""

import hashlib
import sys

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.gf2 import elimination, oracle
from xorjax.gf2.network import XorNetwork


@st.composite
def planes(draw):
    """bits, care, net: from one bit to a few slices with a ragged tail, care rates 0 to 1 and both ends."""
    n_in = draw(st.integers(1, 128))
    n_out = n_in + draw(st.integers(1, 100))
    n = draw(st.integers(1, 2 * n_out + 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    care = rng.random(n) < draw(st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1)))
    # Any matrix will do for elimination: sparse ones have zero rows, equal rows and a low rank.
    matrix = rng.random((n_out, n_in)) < draw(st.sampled_from([0.05, 0.5, 0.5, 0.95]))
    return rng.random(n) < 0.5, care, XorNetwork.from_matrix(matrix.astype(np.uint8))


@st.composite
def tiny_planes(draw):
    """The same with every bit drawn by hypothesis, so that a failure shrinks to one slice of a few bits."""
    n_in = draw(st.integers(1, 4))
    matrix = draw(hnp.arrays(np.uint8, (n_in + draw(st.integers(1, 6)), n_in), elements=st.integers(0, 1)))
    n = draw(st.integers(1, 20))
    return draw(hnp.arrays(np.bool_, n)), draw(hnp.arrays(np.bool_, n)), XorNetwork.from_matrix(matrix)


def assert_equal_to_galois(bits, care, net):
    fast = elimination.encode_slices(bits, care, net)
    slow = oracle.encode_slices(bits, care, net)
    for a, b in zip(fast, slow, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def plane(n_in, n_out, n, rate, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(n) < 0.5, rng.random(n) < rate, XorNetwork.random(n_in, n_out, seed)


@settings(max_examples=200)
@given(planes())
@example(plane(64, 65, 200, rate=1.0))
@example(plane(64, 640, 1500, rate=0.1))
@example(plane(20, 200, 1001, rate=0.09))
@example(plane(1, 2, 9, rate=1.0))
@example(plane(33, 97, 97, rate=0.0))
@example(plane(65, 66, 200, rate=1.0))
@example(plane(128, 1280, 1500, rate=0.1))
def test_equal_to_galois(case):
    assert_equal_to_galois(*case)


@settings(max_examples=150)
@given(tiny_planes())
def test_equal_to_galois_on_tiny_planes(case):
    assert_equal_to_galois(*case)


@pytest.mark.slow
@settings(max_examples=2000)
@given(planes())
def test_equal_to_galois_in_2000_cases(case):
    assert_equal_to_galois(*case)


@given(st.integers(1, 128), st.integers(0, 10_000), st.floats(0, 1))
def test_patches_are_the_care_bits_that_the_code_words_miss(n_in, seed, rate):
    bits, care, net = plane(n_in, 3 * n_in + 1, 50 * n_in, rate, seed)
    codes, n_patches, positions = elimination.encode_slices(bits, care, net)
    outputs = np.bitwise_count(codes[:, None] & net.rows).sum(axis=2, dtype=int) % 2 == 1
    missed = np.flatnonzero((outputs.reshape(-1)[: len(bits)] ^ bits) & care)
    np.testing.assert_array_equal(np.repeat(np.arange(len(codes)), n_patches) * net.n_out + positions, missed)


def test_threads_do_not_change_the_answer():
    bits, care, net = plane(20, 200, 40_000, rate=0.09)
    answers = []
    threads = numba.get_num_threads()
    for n in (1, threads):
        numba.set_num_threads(n)
        answers.append(elimination.encode_slices(bits, care, net))
    for one, many in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, many)


def test_compiles_where_no_cache_can_be_written(monkeypatch):
    compiled = numba.njit

    def refuse_cache(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return compiled(**options)

    monkeypatch.setattr(numba, "njit", refuse_cache)
    counted = np.zeros(5, dtype=np.int64)
    elimination.compile_parallel(count_up)(counted)
    assert counted.tolist() == [0, 1, 2, 3, 4]


def count_up(counted):
    for i in numba.prange(len(counted)):
        counted[i] = i
