"""Every mask codec: size by formula, exact round trip on awkward shapes, reload from bytes, refusals."""

from fractions import Fraction
from math import log2, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.masks import MASK_CODECS, get_mask_codec
from xorjax.masks.ans import decode_bernoulli, encode_bernoulli, frequency

ids = pytest.mark.parametrize("id", sorted(MASK_CODECS))


def entropy(n, n_ones):
    """Bits of `n` independent bits of which `n_ones` are one."""
    return -sum(k * log2(k / n) for k in (n_ones, n - n_ones) if k)


@st.composite
def masks(draw):
    """Odd shapes; any values, or all kept, none kept, one kept."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=13))
    mask = np.full(shape, draw(st.booleans()))
    kind = draw(st.sampled_from(["any", "equal", "one differs"]))
    if kind == "any":
        mask = draw(hnp.arrays(np.bool_, shape))
    elif kind == "one differs" and mask.size:
        mask.ravel()[draw(st.integers(0, mask.size - 1))] ^= True
    return mask


@ids
@given(mask=masks())
def test_round_trip(id, mask):
    codec = MASK_CODECS[id]
    decoded = codec.decode(codec.encode(mask), mask.shape)
    assert decoded.dtype == np.bool_
    assert decoded.shape == mask.shape
    assert np.array_equal(decoded, mask)


@ids
@given(mask=masks())
def test_reload_from_bytes(id, mask):
    codec = MASK_CODECS[id]
    stored = {name: stream.tobytes() for name, stream in codec.encode(mask).items()}
    streams = {name: np.frombuffer(stream, dtype=np.uint8) for name, stream in stored.items()}
    assert np.array_equal(codec.decode(streams, mask.shape), mask)


@given(mask=masks())
def test_size_of_bitmap(mask):
    streams = MASK_CODECS["bitmap"].encode(mask)
    assert {name: len(stream) for name, stream in streams.items()} == {"bits": -(-mask.size // 8)}


@given(mask=masks())
def test_size_of_ans(mask):
    streams = MASK_CODECS["ans"].encode(mask)
    assert len(streams["n_ones"]) == 8
    assert 8 * len(streams["words"]) <= entropy(mask.size, int(mask.sum())) + 64
    if mask.all() or not mask.any():
        assert len(streams["words"]) == 0


@pytest.mark.parametrize("prune_rate", [0.9, 0.95, 0.98])
def test_ans_is_within_a_thousandth_of_the_entropy(prune_rate):
    mask = np.random.default_rng(0).random((800, 500)) >= prune_rate
    streams = MASK_CODECS["ans"].encode(mask)
    bits = sum(8 * len(stream) for stream in streams.values())
    bound = entropy(mask.size, int(mask.sum()))
    assert bound <= bits <= 1.001 * bound + 3 * 32


@pytest.mark.slow
def test_ans_on_forty_million_weights():
    mask = np.random.default_rng(0).random((8000, 5000)) >= 0.91
    streams = MASK_CODECS["ans"].encode(mask)
    assert np.array_equal(MASK_CODECS["ans"].decode(streams, mask.shape), mask)
    assert 8 * len(streams["words"]) <= 1.0001 * entropy(mask.size, int(mask.sum())) + 64


@given(n=st.integers(2, 2**40), data=st.data())
def test_frequency_is_the_nearest_that_leaves_both_symbols_possible(n, data):
    n_ones = data.draw(st.integers(1, n - 1))
    ones = frequency(n, n_ones)
    assert 1 <= ones <= 2**24 - 1
    if 1 < ones < 2**24 - 1:
        assert abs(Fraction(ones, 2**24) - Fraction(n_ones, n)) <= Fraction(1, 2**25)


def decode_by_the_book(words, n, n_ones):
    """docs/format.md's ANS decoder, one integer at a time."""
    ones = frequency(n, n_ones)
    stack, state, bits = list(words), 0, []
    while stack and state < 2**32:
        state = state << 32 | stack.pop()
    for _ in range(n):
        rest = state % 2**24
        bit = rest >= 2**24 - ones
        share, start = (ones, 2**24 - ones) if bit else (2**24 - ones, 0)
        state = (state >> 24) * share + rest - start
        if state < 2**32 and stack:
            state = state << 32 | stack.pop()
        bits.append(bit)
    assert state == 0
    assert not stack
    return np.array(bits, dtype=np.bool_)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 3000), density=st.floats(0, 1))
def test_ans_equals_the_decoder_of_the_format(seed, n, density):
    bits = np.random.default_rng(seed).random(n) < density
    if bits.all() or not bits.any():
        bits[n // 2] ^= True
    words = encode_bernoulli(bits)["words"].view("<u4").tolist()
    assert np.array_equal(decode_by_the_book(words, n, int(bits.sum())), bits)


def test_ans_words_never_change():
    mask = np.arange(200) % 7 == 3
    streams = MASK_CODECS["ans"].encode(mask)
    assert streams["n_ones"].tolist() == [29, 0, 0, 0, 0, 0, 0, 0]
    assert streams["words"].view("<u4").tolist() == [3708202088, 2334339195, 3898812647, 659366191, 4327]


@ids
def test_a_missing_or_short_stream_is_refused_by_name(id):
    codec = MASK_CODECS[id]
    mask = np.arange(400).reshape(20, 20) % 3 == 0
    streams = codec.encode(mask)
    for name in streams:
        with pytest.raises(ValueError, match=name):
            codec.decode({other: stream for other, stream in streams.items() if other != name}, mask.shape)
        with pytest.raises(ValueError, match=name):
            codec.decode({**streams, name: streams[name][:-1]}, mask.shape)
        with pytest.raises(ValueError, match="stream"):
            codec.decode(streams, (20, 41))


@pytest.mark.parametrize(
    ("streams", "n", "match"),
    [
        ({"n_ones": 9, "words": []}, 8, "counts 9 of 8"),
        ({"n_ones": 3, "words": []}, 8, "does not decode to 3 ones in 8"),
        ({"n_ones": 0, "words": [1]}, 8, "does not decode to 0 ones in 8"),
        ({"n_ones": 3, "words": [5, 0]}, 8, "zero word"),
        ({"n_ones": 3, "words": [1, 2, 3, 4]}, 8, "does not decode"),
    ],
)
def test_ans_refuses_words_that_do_not_fit_the_count(streams, n, match):
    streams = {
        "n_ones": np.array([streams["n_ones"]], dtype="<u8").view(np.uint8),
        "words": np.array(streams["words"], dtype="<u4").view(np.uint8),
    }
    with pytest.raises(ValueError, match=match):
        decode_bernoulli(streams, n)


def test_an_unknown_codec_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'bitmap'"):
        get_mask_codec("bitmaps")
    assert get_mask_codec("ans") is MASK_CODECS["ans"]


def test_shapes_without_weights():
    for codec in MASK_CODECS.values():
        for shape in [(0,), (3, 0), ()]:
            mask = np.ones(shape, dtype=np.bool_)
            assert prod(shape) == mask.size
            assert np.array_equal(codec.decode(codec.encode(mask), shape), mask)
