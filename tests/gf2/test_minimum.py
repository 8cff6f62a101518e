"""Minimum patches against a search of all code words, against the oracle, and against greedy search."""

import numba
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.gf2 import elimination, minimum, oracle
from xorjax.gf2.network import XorNetwork


def plane(n_in, n_out, n, rate, seed=0, ones=0.5):
    """Bits, care bits, and a network of any rank: with few ones it has zero rows and equal rows."""
    rng = np.random.default_rng(seed)
    matrix = (rng.random((n_out, n_in)) < ones).astype(np.uint8)
    return rng.random(n) < 0.5, rng.random(n) < rate, XorNetwork.from_matrix(matrix)


@st.composite
def planes(draw, n_in, n_out):
    n_in = draw(st.integers(1, n_in))
    n_out = draw(st.integers(n_in + 1, n_out))
    rate = draw(st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1)))
    ones = draw(st.sampled_from([0.05, 0.2, 0.5, 0.5, 0.5, 0.95]))
    n = draw(st.integers(1, 3 * n_out))
    return plane(n_in, n_out, n, rate, draw(st.integers(0, 2**32)), ones)


@st.composite
def tiny_planes(draw):
    """Every bit drawn by hypothesis, so that a failure shrinks to one slice of a few bits."""
    n_in = draw(st.integers(1, 4))
    matrix = draw(hnp.arrays(np.uint8, (n_in + draw(st.integers(1, 8)), n_in), elements=st.integers(0, 1)))
    n = draw(st.integers(1, 24))
    return draw(hnp.arrays(np.bool_, n)), draw(hnp.arrays(np.bool_, n)), XorNetwork.from_matrix(matrix)


def in_slices(bits, n_out):
    padded = np.zeros(-(-len(bits) // n_out) * n_out, dtype=bool)
    padded[: len(bits)] = bits
    return padded.reshape(-1, n_out)


def outputs(codes, net):
    return np.bitwise_count(codes[:, None] & net.rows).sum(axis=2, dtype=int) % 2 == 1


def misses(codes, bits, care, net):
    return (outputs(codes, net) ^ in_slices(bits, net.n_out)) & in_slices(care, net.n_out)


def fewest_by_all_code_words(bits, care, net):
    """Patches of each slice, the set taken among the smallest, and how many slices that is: by definition."""
    all_outputs = outputs(np.arange(2**net.n_in, dtype=np.uint64)[:, None], net)
    sets = []
    for wanted, cared in zip(in_slices(bits, net.n_out), in_slices(care, net.n_out), strict=True):
        wrong = np.unique((all_outputs ^ wanted) & cared, axis=0)
        fewest = wrong[wrong.sum(axis=1) == wrong.sum(axis=1).min()]
        sets.append(max(np.flatnonzero(errors)[::-1].tolist() for errors in fewest)[::-1])
    return sets


def assert_fewest(bits, care, net):
    codes, n_patches, positions, n_bounded = minimum.encode_slices(bits, care, net)
    sets = fewest_by_all_code_words(bits, care, net)
    assert n_patches.tolist() == [len(patches) for patches in sets]
    assert positions.tolist() == [position for patches in sets for position in patches]
    assert n_bounded == 0
    slices = np.repeat(np.arange(len(codes)), n_patches)
    expected = np.zeros((len(codes), net.n_out), dtype=bool)
    expected[slices, positions] = True
    np.testing.assert_array_equal(misses(codes, bits, care, net), expected)
    return len(codes)


@settings(max_examples=60)
@given(planes(n_in=12, n_out=64))
@example(plane(12, 64, 640, rate=1.0))
@example(plane(12, 64, 640, rate=0.0))
@example(plane(12, 64, 1280, rate=0.4))
@example(plane(12, 22, 440, rate=1.0))
@example(plane(6, 64, 640, rate=1.0, ones=0.05))
def test_no_code_word_needs_fewer_patches(case):
    assert_fewest(*case)


@settings(max_examples=100)
@given(tiny_planes())
def test_no_code_word_needs_fewer_patches_on_tiny_planes(case):
    assert_fewest(*case)


@pytest.mark.slow
def test_no_code_word_needs_fewer_patches_in_thousands_of_slices():
    rng = np.random.default_rng(0)
    n_slices = 0
    for seed in range(400):
        n_in = int(rng.integers(1, 13))
        n_out = int(rng.integers(n_in + 1, 65))
        rate, ones = rng.choice([0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1]), rng.choice([0.1, 0.5, 0.5])
        n_slices += assert_fewest(*plane(n_in, n_out, 8 * n_out + 3, rate, seed, ones))
    assert n_slices >= 2000


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(0, 2**32), st.floats(0, 0.9))
@example(20, 5, 0.7)
def test_equal_to_the_oracle(n_in, seed, rate):
    # About n_in care bits a slice, so that the oracle, which tries all patterns, ends.
    bits, care, net = plane(n_in, n_in + 8, 2 * n_in + 10, rate, seed)
    fast = minimum.encode_slices(bits, care, net)
    slow = oracle.encode_slices(bits, care, net, "minimum")
    for a, b in zip(fast, slow, strict=False):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("n_in", "n_out"), [(65, 72), (128, 137)])
def test_equal_to_the_oracle_with_two_words(n_in, n_out):
    bits, care, net = plane(n_in, n_out, 5 * n_out + 20, 0.99)
    fast = minimum.encode_slices(bits, care, net)
    assert fast[1].max() >= 2
    for a, b in zip(fast, oracle.encode_slices(bits, care, net, "minimum"), strict=False):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("n_in", "n_out", "rate"),
    [
        (20, 64, 0.4),
        (20, 224, 0.1),
        (40, 450, 0.1),
        (64, 704, 0.1),
        (65, 300, 0.25),
        (100, 900, 0.12),
        (128, 1312, 0.1),
    ],
)
def test_never_more_patches_than_greedy(n_in, n_out, rate):
    bits, care, net = plane(n_in, n_out, 150 * n_out, rate)
    codes, n_patches, positions, n_bounded = minimum.encode_slices(bits, care, net)
    greedy = elimination.encode_slices(bits, care, net)[1]
    assert (n_patches <= greedy).all()
    assert n_patches.sum() < 0.8 * greedy.sum()
    assert ((n_patches > 0) == (greedy > 0)).all()
    assert n_bounded <= 3
    missed = misses(codes, bits, care, net)
    np.testing.assert_array_equal(missed.sum(axis=1), n_patches)
    np.testing.assert_array_equal(np.nonzero(missed)[1], positions)


@pytest.mark.parametrize(
    ("n_in", "n_out", "rate"), [(32, 128, 1.0), (64, 200, 0.9), (128, 300, 0.8), (30, 40, 1.0)]
)
def test_slices_too_redundant_to_search_are_counted_and_bounded(n_in, n_out, rate):
    bits, care, net = plane(n_in, n_out, 20 * n_out, rate)
    codes, n_patches, _, n_bounded = minimum.encode_slices(bits, care, net)
    greedy = elimination.encode_slices(bits, care, net)[1]
    assert n_bounded == (0 if n_out - n_in <= 10 else len(codes))
    assert (n_patches <= greedy).all()
    assert n_patches.sum() < greedy.sum()
    np.testing.assert_array_equal(misses(codes, bits, care, net).sum(axis=1), n_patches)


@pytest.mark.parametrize("weight", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize(("n_in", "n_redundant"), [(24, 32), (64, 38), (90, 40)])
def test_finds_errors_that_were_put_there(weight, n_in, n_redundant):
    """Bits that a code word puts out but for `weight` errors, so few that no other pattern explains them."""
    n_out = n_in + n_redundant
    rng = np.random.default_rng(weight)
    net = XorNetwork.random(n_in, n_out)
    codes = rng.integers(0, 2**24, (4, net.code_words), dtype=np.uint64)
    errors = np.zeros((4, n_out), dtype=bool)
    for row in errors:
        row[rng.choice(n_out, weight, replace=False)] = True
    bits = (outputs(codes, net) ^ errors).reshape(-1)
    found, n_patches, positions, n_bounded = minimum.encode_slices(bits, np.ones(len(bits), dtype=bool), net)
    assert n_patches.tolist() == [weight] * 4
    np.testing.assert_array_equal(found, codes)
    np.testing.assert_array_equal(positions, np.nonzero(errors)[1])
    assert n_bounded == 0


def test_a_slice_worked_by_hand():
    net = XorNetwork.from_matrix(np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]))
    # x0 is wanted 1 by bit 0 and 0 by bits 2 and 4; x1 is 1 by bit 1 and 0 by bit 3, bit 5 being a don't-care.
    bits = np.array([True, True, False, False, False, True])
    care = np.array([True, True, True, True, True, False])
    greedy = elimination.encode_slices(bits, care, net)
    assert [a.tolist() for a in greedy] == [[[0b11]], [3], [2, 3, 4]]
    # Patching bit 0 is better than bits 2 and 4; of bits 1 and 3 the later is taken.
    codes, n_patches, positions, n_bounded = minimum.encode_slices(bits, care, net)
    assert (codes.tolist(), n_patches.tolist(), positions.tolist(), n_bounded) == ([[0b10]], [2], [0, 3], 0)


def test_threads_do_not_change_the_answer():
    bits, care, net = plane(64, 300, 30_000, rate=0.3)
    answers = []
    threads = numba.get_num_threads()
    for n in (1, threads):
        numba.set_num_threads(n)
        answers.append(minimum.encode_slices(bits, care, net))
    assert answers[0][3] == answers[1][3] > 0
    for one, many in zip(answers[0][:3], answers[1][:3], strict=True):
        np.testing.assert_array_equal(one, many)
