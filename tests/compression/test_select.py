"""The largest magnitudes by histograms: the same as by sorting, ties by index."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.compression import select
from xorjax.compression.select import Weights, check_finite, keep_largest
from xorjax.masks.base import n_kept
from xorjax.prune.masks import prune_by_magnitude

# Few distinct values, so that ties are the rule, and some that differ in their last bit alone.
values = st.sampled_from([0.0, -0.0, 1e-45, 1.0, -1.0, np.nextafter(1, 2, dtype=np.float32), 2.5, -3e38])
arrays = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=3, max_side=9), elements=values | st.floats(-4, 4, width=32)
)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(select, "TILE", 7)


@given(array=arrays, data=st.data())
def test_the_largest_are_those_that_sorting_finds(array, data):
    count = data.draw(st.integers(1, array.size))
    wanted = np.zeros(array.size, np.bool_)
    wanted[np.argsort(-np.abs(array).ravel(), kind="stable")[:count]] = True
    assert np.array_equal(keep_largest(Weights.of("a", array), count), wanted.reshape(array.shape))


@settings(max_examples=30)
@given(array=arrays, prune_rate=st.floats(0, 1, exclude_max=True))
def test_the_mask_is_the_suites(array, prune_rate):
    params, masks = {"a": jnp.asarray(array)}, {"a": jnp.ones(array.shape, bool)}
    wanted = prune_by_magnitude(params, masks, prune_rate, "layer")["a"]
    kept = keep_largest(Weights.of("a", array), n_kept(array.size, prune_rate))
    assert np.array_equal(kept, np.asarray(wanted))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_placed(bad):
    array = np.ones((5, 6), np.float32)
    check_finite(Weights.of("a", array))
    array[3, 1] = array[4, 0] = bad
    with pytest.raises(ValueError, match=r"tensor 'a': 2 weights are NaN or infinite .* at \[3, 1\]\)"):
        check_finite(Weights.of("a", array))


def test_a_float64_beyond_float32_is_not_finite():
    with pytest.raises(ValueError, match="1 weight is NaN or infinite as float32"):
        check_finite(Weights.of("a", np.array([[1e39, 1.0]])))
