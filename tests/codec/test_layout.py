import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax import XorNetwork, encode
from xorjax.codec.layout import LAYOUTS, bit_index, count_slices, from_slices, to_slices

shapes = hnp.array_shapes(min_dims=1, max_dims=4, max_side=9)
layouts = st.sampled_from(LAYOUTS)


@given(shapes, st.integers(1, 80), layouts)
def test_every_bit_lies_where_the_index_says_once(shape, n_out, layout):
    n_weights, n_slices = math.prod(shape), count_slices(shape, n_out, layout)
    number = np.arange(n_weights).reshape(shape)
    slices, positions = (grid.reshape(-1) for grid in np.indices((n_slices, n_out)))
    index = bit_index(slices, positions, n_slices, n_out, layout)
    assert sorted(index) == list(range(n_slices * n_out))
    for k in range(n_weights.bit_length()):
        plane = (number >> k & 1).astype(bool)
        inside = index < n_weights
        expected = np.zeros(len(index), bool)
        expected[inside] = index[inside] >> k & 1
        np.testing.assert_array_equal(to_slices(plane, n_out, layout).reshape(-1), expected)


@given(shapes, st.integers(1, 80), layouts, st.integers(0, 2**32))
def test_slices_go_back_to_the_plane(shape, n_out, layout, seed):
    plane = np.random.default_rng(seed).random(shape) < 0.5
    np.testing.assert_array_equal(from_slices(to_slices(plane, n_out, layout), shape, layout), plane)


def test_jax_arrays_go_the_same_way():
    plane = np.random.default_rng(0).random((7, 10)) < 0.5
    slices = to_slices(plane, 8, "interleaved")
    np.testing.assert_array_equal(from_slices(jnp.asarray(slices), (7, 10), "interleaved"), plane)


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


def test_interleaving_evens_out_a_mask_with_dense_rows():
    rng = np.random.default_rng(0)
    density = np.where(np.arange(200) % 10 == 0, 0.3, 0.02)[:, None]
    care, bits = rng.random((200, 100)) < density, rng.random((200, 100)) < 0.5
    net = XorNetwork.random(20, 300, seed=0)
    patches = {layout: encode(bits, care, net, layout=layout).n_patches.sum() for layout in LAYOUTS}
    assert patches["interleaved"] < patches["row_major"] / 2
