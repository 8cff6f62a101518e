"""Signs under contexts: compiled and uncompiled, length, distances found, refusals."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.codec.bounds import context_entropy, sign_entropy
from xorjax.codec.code import EncodedPlanes
from xorjax.codec.context_signs import ContextSignsCode, Layer, find_lags, walk

CODE = ContextSignsCode()


def drawn(seed, shape, keep=0.5, plus=0.5, agree=0.0, lag=3):
    """A plane and its mask; with `agree`, so many signs are those of `lag` rows above."""
    rng = np.random.default_rng(seed)
    plane, mask = rng.random(shape) < plus, rng.random(shape) < keep
    for row in range(lag, len(plane)):
        plane[row] = np.where(rng.random(shape[1]) < agree, plane[row - lag], plane[row])
    return plane, mask


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    keep=st.sampled_from([0.0, 0.2, 1.0]),
    plus=st.sampled_from([0.0, 0.3, 1.0]),
    lags=st.lists(st.integers(1, 80), max_size=4, unique=True),
)
def test_compiled_and_uncompiled_are_the_same(seed, shape, keep, plus, lags):
    plane, mask = drawn(seed, shape, keep, plus)
    layer, distances = Layer.of(shape, mask), np.sort(np.array(lags, np.int64))
    signs, rest = layer.signs(plane.ravel()), layer._rest(distances)
    shares = layer.shares(signs, distances)
    plain = np.zeros_like(shares)
    walk(signs.copy(), plain, np.zeros(0, np.uint64), *rest)
    np.testing.assert_array_equal(plain, shares)
    words = np.random.default_rng(seed).integers(1, 2**32, size=7, dtype=np.uint64)  # whatever they say
    decoded, ended = layer.decode(words, distances)
    again = np.zeros_like(signs)
    assert walk(again, np.zeros(0, np.int64), words, *rest) == ended
    np.testing.assert_array_equal(again, decoded)


@pytest.mark.parametrize("keep", [0.05, 0.5, 1.0])
@pytest.mark.parametrize(("plus", "agree"), [(0.5, 0.0), (0.3, 0.0), (0.5, 0.9), (1.0, 0.0)])
def test_the_length_is_the_entropy_under_its_own_model(keep, plus, agree):
    plane, mask = drawn(0, (120, 90), keep, plus, agree)
    bits = CODE.encode(plane[None], mask).bits["code_bits"]
    assert abs(bits - context_entropy(plane[None], mask) * plane.size) <= 64


def test_even_signs_cost_little_more_than_a_bit():
    plane, mask = drawn(1, (300, 200))
    n = int(mask.sum())
    assert n < context_entropy(plane[None], mask) * plane.size < 1.03 * n


@pytest.mark.parametrize("axis", [0, 1])
def test_uneven_rows_and_columns_are_learned(axis):
    rng = np.random.default_rng(2)
    plane = rng.random((200, 300)) < np.expand_dims(rng.choice([0.1, 0.9], size=(300, 200)[axis]), axis)
    assert context_entropy(plane[None], None) < 0.55
    assert sign_entropy(plane[None], None) > 0.9


def test_planes_are_coded_each_by_itself():
    planes, mask = np.stack([drawn(seed, (20, 30))[0] for seed in (3, 4)]), drawn(3, (20, 30))[1]
    both = CODE.encode(planes, mask).streams
    for p in range(2):
        alone = CODE.encode(planes[p : p + 1], mask).streams
        assert all(np.array_equal(both[f"{p}/{name}"], alone[f"0/{name}"]) for name in CODE.stream_names)


def test_distances_at_which_signs_agree_are_found():
    plane, mask = drawn(5, (100, 70), keep=0.6, agree=0.8)
    signs = Layer.of(plane.shape, mask).signs(plane.ravel()).reshape(plane.shape)
    assert 3 * 70 in find_lags(signs)
    assert find_lags(signs.T.copy()).tolist()[:1] == [3]


@pytest.mark.parametrize("skewed", ["rows", "columns"])
def test_chance_and_uneven_rows_and_columns_show_no_distances(skewed):
    rng = np.random.default_rng(6)
    shares = rng.uniform(0.1, 0.9, size=(150, 1) if skewed == "rows" else (1, 200))
    signs = np.where(rng.random((150, 200)) < shares, 1, -1) * (rng.random((150, 200)) < 0.3)
    assert find_lags(signs.astype(np.int8)).tolist() == []


@pytest.mark.parametrize(
    ("lags", "message"),
    [
        ([1, 0], r"'0/lags' has 2 bytes, expected 3 for each of 0 to 8"),
        ([1, 0, 0] * 9, r"'0/lags' has 27 bytes"),
        ([0, 0, 0], r"'0/lags' has the distances \[0\], which must ascend from 1"),
        ([2, 0, 0, 2, 0, 0], r"'0/lags' has the distances \[2, 2\]"),
    ],
)
def test_distances_that_cannot_be_are_refused(lags, message):
    plane, mask = drawn(7, (20, 30))
    encoded = CODE.encode(plane[None], mask)
    streams = encoded.streams | {"0/lags": np.array(lags, np.uint8)}
    with pytest.raises(ValueError, match=message):
        CODE.decode(dataclasses.replace(encoded, streams=streams), mask)


def test_damaged_words_are_refused_or_other_signs():
    plane, mask = drawn(8, (40, 50), agree=0.9)
    encoded, rng, refusals = CODE.encode(plane[None], mask), np.random.default_rng(8), []
    for _ in range(200):
        words = encoded.streams["0/words"].copy()
        words[rng.integers(len(words))] ^= 1 << rng.integers(8)
        damaged: EncodedPlanes = dataclasses.replace(encoded, streams=encoded.streams | {"0/words": words})
        try:
            decoded = CODE.decode(damaged, mask)[0]
        except ValueError as error:
            refusals.append(str(error))
        else:
            assert (decoded != plane)[mask].any()
    assert refusals
    assert all("stream '0/words'" in refusal for refusal in refusals)


@pytest.mark.parametrize("shape", [(), (7,), (3, 3, 2, 5)])
def test_entropies_by_hand(shape):
    ones = np.ones((2, *shape), bool)
    assert sign_entropy(ones, None) == 0
    assert sign_entropy(ones, np.zeros(shape, bool)) == context_entropy(ones, np.zeros(shape, bool)) == 0


def test_the_entropy_of_signs_by_hand():
    planes, mask = np.zeros((2, 4, 8), bool), np.zeros((4, 8), bool)
    mask[:2, :4], planes[0, :1, :2], planes[1, :2, :2] = True, True, True
    assert sign_entropy(planes, mask) == pytest.approx((8 * (0.25 * 2 + 0.75 * np.log2(4 / 3)) + 8) / 32)
