"""The trained code: its slices, the nearest code words, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.codec.code import CodeError
from xorjax.codec.trained import TrainedCode, from_groups, to_groups

shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=9)


def test_a_slice_is_inputs_of_one_output():
    kernel = np.arange(5 * 3).reshape(5, 3)
    assert to_groups(kernel, 2).tolist() == [
        [0, 3], [1, 4], [2, 5],
        [6, 9], [7, 10], [8, 11],
        [12, 0], [13, 0], [14, 0],
    ]  # fmt: skip
    window = np.arange(2 * 2 * 1 * 2).reshape(2, 2, 1, 2)
    assert to_groups(window, 4).tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]


@given(shape=shapes, n_out=st.integers(1, 12))
def test_slices_back_to_a_plane(shape, n_out):
    plane = np.random.default_rng(0).random(shape)
    np.testing.assert_array_equal(from_groups(to_groups(plane, n_out), shape), plane)


@given(shape=shapes, n_in=st.integers(1, 6), n_more=st.integers(0, 9), seed=st.integers(0, 99))
def test_nearest_of_all(shape, n_in, n_more, seed):
    """The nearest in the sense of least squares: of all scales and all code words, by brute force."""
    code = TrainedCode(n_in, n_in + n_more, seed)
    weights = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    codes, missed = code.nearest(weights)
    vectors = 2.0 * code.vectors - 1
    for slice, c, by in zip(to_groups(weights, code.n_out).astype(float), codes, missed, strict=True):
        met = vectors @ slice
        assert met[c] >= met.max() - 1e-5
        assert abs(np.abs(slice).sum() - met.max() - by) < 1e-4
    plane = code.project(weights)
    encoded = code.encode(plane[None], None)
    np.testing.assert_array_equal(code.decode(encoded, None)[0], plane)


@given(
    shape=hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=9),
    n_out=st.integers(3, 12),
    masked=st.booleans(),
    seed=st.integers(0, 99),
)
def test_inputs_last_is_inputs_of_the_turned_plane(shape, n_out, masked, seed):
    """Of torch's (out, in, ...) and the same weight as (in, ..., out): the same code words, and equal planes."""
    rng, turned = np.random.default_rng(seed), TrainedCode(3, n_out, slicing="inputs_last")
    weights = rng.standard_normal(shape)
    mask, code = rng.random(shape) < 0.5 if masked else None, TrainedCode(3, n_out)
    other, of_other = np.moveaxis(weights, 0, -1), None if mask is None else np.moveaxis(mask, 0, -1)
    plane = turned.project(weights)
    np.testing.assert_array_equal(np.moveaxis(plane, 0, -1), code.project(other))
    encoded, theirs = turned.encode(plane[None], mask), code.encode(code.project(other)[None], of_other)
    np.testing.assert_array_equal(encoded.streams["0/codes"], theirs.streams["0/codes"])
    kept = np.ones(shape, bool) if mask is None else mask
    np.testing.assert_array_equal(turned.decode(encoded, mask)[0] & kept, plane & kept)


@given(planes=hnp.arrays(np.bool_, st.tuples(st.integers(1, 2), *[st.integers(1, 9)] * 2)))
def test_a_square_matrix_holds_any_signs(planes):
    code = TrainedCode(5, 5)
    np.testing.assert_array_equal(code.decode(code.encode(planes, None), None), planes)


def test_bits_are_exactly_the_rate():
    code = TrainedCode(8, 20)
    plane = code.project(np.random.default_rng(0).standard_normal((800, 500)))
    assert code.encode(plane[None], None).bits == {"code_bits": 800 * 500 * 8 // 20, "patch_bits": 0}


def test_signs_that_were_not_trained_in_it_are_refused():
    planes = np.random.default_rng(0).random((1, 40, 7)) < 0.5
    with pytest.raises(CodeError, match="14 of 14 slices of plane 0 are no code words"):
        TrainedCode(8, 20).encode(planes, None)
    # Where nothing is kept, nothing is missed.
    TrainedCode(8, 20).encode(planes, np.zeros((40, 7), bool))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n_in": 13}, "n_in is 13; it must be at least 1 and at most 12"),
        ({"n_in": 8, "n_out": 7}, "n_out is 7; it must be at least n_in, 8"),
        ({"taps": 9}, "taps is 9; it must be at most n_in, 8"),
    ],
)
def test_settings_that_cannot_be(settings, told):
    with pytest.raises(CodeError, match=told):
        TrainedCode(**settings).encode(np.ones((1, 9, 9), bool), None)


def test_bits_after_the_last_code_word_are_refused():
    code = TrainedCode(5, 9)
    encoded = code.encode(code.project(np.ones((9, 3)))[None], None)
    stream = encoded.streams["0/codes"].copy()
    assert len(stream) == 2
    stream[1] |= 0x80
    with pytest.raises(ValueError, match="'0/codes': a bit is set after the last code word"):
        code.decode(replace(encoded, streams={"0/codes": stream}), None)
