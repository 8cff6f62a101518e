"""The largest scores by histograms: the same as by sorting, ties by index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax import tiles
from xorjax.prune.largest import keep_largest
from xorjax.tiles import Weights

# Few distinct values, so that ties are the rule, some that differ in their last bit alone, and what ranking adds.
ONE = [np.nextafter(1, 2, dtype=np.float32), float(np.nextafter(1, 2)), 1.0, -1.0]
SCORES = {
    dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(max_dims=3, max_side=9),
        elements=st.sampled_from([np.inf, -np.inf, 0.0, -0.0, 1e-45, 2.5, -3e38, *ONE])
        | st.floats(-4, 4, width=8 * np.dtype(dtype).itemsize),
    )
    for dtype in (np.float32, np.float64)
}


def by_sorting(scores, count):
    wanted = np.zeros(scores.size, np.bool_)
    wanted[np.argsort(-scores.ravel(), kind="stable")[:count]] = True
    return wanted


def in_tiles(scores, size):
    flat = scores.ravel()
    return lambda: (
        (slice(i, min(i + size, flat.size)), flat[i : i + size]) for i in range(0, flat.size, size)
    )


@pytest.mark.parametrize("dtype", SCORES)
@given(data=st.data())
def test_the_largest_are_those_that_sorting_finds(dtype, data):
    scores = data.draw(SCORES[dtype])
    count, size = data.draw(st.integers(1, scores.size)), data.draw(st.integers(1, scores.size))
    kept = keep_largest(in_tiles(scores, size), scores.size, count)
    assert np.array_equal(kept, by_sorting(scores, count))


@given(array=SCORES[np.float32], data=st.data())
def test_magnitudes_of_weights_in_tiles(array, data):
    count = data.draw(st.integers(1, array.size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE", 7)
        weights = Weights.of("a", array)
        assert np.array_equal(
            keep_largest(weights.magnitudes, weights.size, count), by_sorting(np.abs(array), count)
        )
