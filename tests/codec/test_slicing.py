import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax import XorNetwork, encode
from xorjax.codec.slicing import SLICINGS, count_slices, from_slices, to_slices
from xorjax.decoding.slices import plane_to_slices, slices_to_plane

shapes = hnp.array_shapes(min_dims=0, max_dims=4, max_side=9)
slicings = st.sampled_from(SLICINGS)
seeds = st.integers(0, 2**32)


def place(slicing, shape, n_slices, n_out, seed, s, i):
    """The row-major number of bit i of slice s, or None in the padding, by the text of the module."""
    n_weights = math.prod(shape)
    if slicing == "interleaved":
        k = i * n_slices + s
    elif slicing == "shuffled":
        k = i * n_slices + (s - int(np.random.PCG64(seed).random_raw(n_out)[i])) % n_slices
    else:
        k = s * n_out + i
    if k >= n_weights:
        return None
    if slicing == "column_major":
        index = []
        for size in shape:  # the first axis is the fastest
            index.append(k % size)
            k //= size
        k = 0
        for at, size in zip(index, shape, strict=True):
            k = k * size + at
    return k


@given(shapes, st.integers(2, 80), slicings, seeds)
def test_every_bit_lies_where_the_definition_says(shape, n_out, slicing, seed):
    n_slices = count_slices(shape, n_out, slicing)
    numbers = np.arange(1, math.prod(shape) + 1).reshape(shape)
    slices = to_slices(numbers, n_out, slicing, seed)
    assert slices.shape == (n_slices, n_out)
    assert sorted(slices[slices > 0]) == list(range(1, numbers.size + 1))
    for s in {0, n_slices // 2, n_slices - 1}:
        places = [place(slicing, shape, n_slices, n_out, seed, s, i) for i in range(n_out)]
        assert slices[s].tolist() == [0 if k is None else k + 1 for k in places]


@given(shapes, st.integers(1, 80), slicings, seeds)
def test_slices_go_back_to_the_plane(shape, n_out, slicing, seed):
    plane = np.asarray(np.random.default_rng(seed).random(shape))
    np.testing.assert_array_equal(
        from_slices(to_slices(plane, n_out, slicing, seed), shape, slicing, seed), plane
    )


@pytest.mark.parametrize("slicing", SLICINGS)
@pytest.mark.parametrize(("shape", "n_out"), [((7, 10), 8), ((3, 4, 5), 60), ((41,), 50), ((), 3)])
def test_jax_arrays_go_the_same_way(shape, n_out, slicing):
    plane = np.asarray(np.random.default_rng(0).random(shape) < 0.5)
    slices = to_slices(plane, n_out, slicing, 5)
    packed = plane_to_slices(jnp.asarray(plane), len(slices), n_out, slicing, 5)
    np.testing.assert_array_equal(np.asarray(packed), slices)
    np.testing.assert_array_equal(np.asarray(slices_to_plane(packed, shape, slicing, 5)), plane)


@pytest.mark.parametrize(
    ("shape", "n_out", "n_slices"),
    # 400,000 / 320 = 1250 shares 250 with a row of 500: each slice would see two columns only. 1251 shares nothing.
    [
        ((800, 500), 320, 1251),
        ((800, 500), 340, 1177),
        ((5, 5, 20, 50), 64, 391),
        ((7, 1), 3, 3),
        ((8,), 3, 3),
    ],
)
def test_interleaved_slices_meet_all_columns(shape, n_out, n_slices):
    assert count_slices(shape, n_out, "interleaved") == n_slices
    assert math.gcd(n_slices, shape[-1]) == 1


def test_seeds_shuffle_differently():
    numbers = np.arange(1000).reshape(20, 50)
    first, second = (to_slices(numbers, 30, "shuffled", seed) for seed in (0, 1))
    assert (first != second).mean() > 0.8


@pytest.mark.parametrize("axis", [0, 1])
def test_interleaving_and_shuffling_even_out_a_mask_with_dense_rows_or_columns(axis):
    rng = np.random.default_rng(0)
    shape = (200, 100) if axis == 0 else (100, 200)
    density = np.where(np.arange(200) % 10 == 0, 0.3, 0.02)
    care = rng.random(shape) < (density[:, None] if axis == 0 else density[None])
    bits = rng.random(shape) < 0.5
    net = XorNetwork.random(20, 300, seed=0)
    patches = {
        slicing: encode(bits, care, net, method="greedy", slicing=slicing).n_patches.sum()
        for slicing in SLICINGS
    }
    along = "row_major" if axis == 0 else "column_major"
    assert patches["interleaved"] < patches[along] / 2
    assert patches["shuffled"] < patches[along] / 2
