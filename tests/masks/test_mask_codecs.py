"""Every exact mask codec: size, round trip on awkward shapes, reload from bytes, bytes that stay, refusals."""

import json
import tracemalloc
from fractions import Fraction
from math import log2, prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.masks import (
    APPROXIMATE_CODECS,
    EXACT_CODECS,
    MASK_CODECS,
    encode_mask,
    fit_mask,
)
from xorjax.masks.ans import decode_bernoulli, encode_bernoulli, frequency

ids = pytest.mark.parametrize("id", sorted(EXACT_CODECS))


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
    codec = EXACT_CODECS[id]
    decoded = codec.decode(codec.encode(mask), mask.shape)
    assert decoded.dtype == np.bool_
    assert decoded.shape == mask.shape
    assert np.array_equal(decoded, mask)


@ids
@given(mask=masks())
def test_reload_from_bytes(id, mask):
    codec = EXACT_CODECS[id]
    stored = {name: stream.tobytes() for name, stream in codec.encode(mask).items()}
    streams = {name: np.frombuffer(stream, dtype=np.uint8) for name, stream in stored.items()}
    assert np.array_equal(codec.decode(streams, mask.shape), mask)


@given(mask=masks())
def test_size_of_bitmap(mask):
    streams = EXACT_CODECS["bitmap"].encode(mask)
    assert {name: len(stream) for name, stream in streams.items()} == {"bits": -(-mask.size // 8)}


@given(mask=masks())
def test_size_of_ans(mask):
    streams = EXACT_CODECS["ans"].encode(mask)
    assert len(streams["n_ones"]) == 8
    assert 8 * len(streams["words"]) <= entropy(mask.size, int(mask.sum())) + 64
    if mask.all() or not mask.any():
        assert len(streams["words"]) == 0


@pytest.mark.parametrize("prune_rate", [0.9, 0.95, 0.98])
def test_ans_is_within_a_thousandth_of_the_entropy(prune_rate):
    mask = np.random.default_rng(0).random((800, 500)) >= prune_rate
    streams = EXACT_CODECS["ans"].encode(mask)
    bits = sum(8 * len(stream) for stream in streams.values())
    bound = entropy(mask.size, int(mask.sum()))
    assert bound <= bits <= 1.001 * bound + 3 * 32


@pytest.mark.slow
@ids
def test_forty_million_weights(id):
    mask = np.random.default_rng(0).random((8000, 5000)) >= 0.91
    streams = EXACT_CODECS[id].encode(mask)
    assert np.array_equal(EXACT_CODECS[id].decode(streams, mask.shape), mask)
    if id in ("ans", "ans_rc"):
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
    streams = EXACT_CODECS["ans"].encode(mask)
    assert streams["n_ones"].tolist() == [29, 0, 0, 0, 0, 0, 0, 0]
    assert streams["words"].view("<u4").tolist() == [3708202088, 2334339195, 3898812647, 659366191, 4327]


@ids
@pytest.mark.parametrize("prune_rate", [0.5, 0.9, 0.98])
def test_no_codec_beats_the_entropy_of_random_masks(id, prune_rate):
    mask = np.random.default_rng(1).random((400, 300)) >= prune_rate
    bits = sum(8 * len(stream) for stream in EXACT_CODECS[id].encode(mask).values())
    # The count's own information, about lg(n) / 2, is all that a mask's entropy may be undercut by.
    assert bits >= entropy(mask.size, int(mask.sum())) - 10


@ids
def test_streams_never_change(id):
    golden = json.loads(Path(__file__).with_name("golden.json").read_text())
    bits = np.frombuffer(bytes.fromhex(golden["bitmap"]["bits"]), dtype=np.uint8)
    mask = np.unpackbits(bits, bitorder="little").astype(np.bool_).reshape(24, 40)
    codec = EXACT_CODECS[id]
    streams = codec.encode(mask)
    assert list(streams) == list(codec.stream_names)
    assert {name: stream.tobytes().hex() for name, stream in streams.items()} == golden[id]
    stored = {name: np.frombuffer(bytes.fromhex(text), dtype=np.uint8) for name, text in golden[id].items()}
    assert np.array_equal(codec.decode(stored, mask.shape), mask)


@ids
def test_a_missing_or_short_stream_is_refused_by_name(id):
    codec = EXACT_CODECS[id]
    mask = np.arange(400).reshape(20, 20) % 3 == 0
    streams = codec.encode(mask)
    for name in streams:
        with pytest.raises(ValueError, match=name):
            codec.decode({other: stream for other, stream in streams.items() if other != name}, mask.shape)
        if len(streams[name]):
            with pytest.raises(ValueError, match=name):
                codec.decode({**streams, name: streams[name][:-1]}, mask.shape)
        with pytest.raises(ValueError, match="stream"):
            codec.decode({**streams, name: np.append(streams[name], np.uint8(1))}, mask.shape)
    for shape in [(19, 20), (0, 20), ()]:
        with pytest.raises(ValueError, match="stream"):
            codec.decode(streams, shape)


def decode_or_refuse(codec, streams, shape):
    """The mask, or None where the streams are refused by name."""
    try:
        mask = codec.decode(streams, shape)
    except ValueError as error:
        if "stream" not in str(error):
            raise
        return None
    assert mask.shape == shape
    assert mask.dtype == np.bool_
    return mask


@ids
@given(mask=masks(), data=st.data())
def test_damage_is_refused_or_gives_another_mask(id, mask, data):
    codec = EXACT_CODECS[id]
    streams = {name: stream.copy() for name, stream in codec.encode(mask).items()}
    name = data.draw(st.sampled_from([name for name in codec.stream_names if len(streams[name])] or [None]))
    if name is None:
        return
    at = data.draw(st.integers(0, len(streams[name]) - 1))
    streams[name][at] ^= data.draw(st.integers(1, 255))
    decoded = decode_or_refuse(codec, streams, mask.shape)
    # The encoder's choices, parameter and classes, are no part of the mask: another choice may say the same.
    assert id in ("ans_rc", "golomb") or decoded is None or not np.array_equal(decoded, mask)


@ids
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9))
def test_any_bytes_are_refused_or_give_a_mask(id, data, shape):
    codec = EXACT_CODECS[id]
    drawn = {name: data.draw(st.binary(max_size=40)) for name in codec.stream_names}
    streams = {name: np.frombuffer(drawn_bytes, dtype=np.uint8) for name, drawn_bytes in drawn.items()}
    mask = decode_or_refuse(codec, streams, shape)
    if mask is not None:
        assert np.array_equal(codec.decode(codec.encode(mask), shape), mask)


@pytest.mark.parametrize("id", ["ans", "csr4", "csr5", "csr6", "csr7", "csr8", "golomb"])
@pytest.mark.parametrize("claim", [2**60, 2**63, 2**64 - 1, 401])
def test_a_count_that_lies_allocates_nothing(id, claim):
    codec = EXACT_CODECS[id]
    streams = codec.encode(np.arange(400) % 3 == 0)
    first = codec.stream_names[0]
    lie = np.frombuffer(claim.to_bytes(8, "little"), dtype=np.uint8)
    streams[first] = np.concatenate([lie, streams[first][8:]])
    tracemalloc.start()
    with pytest.raises(ValueError, match=first):
        codec.decode(streams, (400,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


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
    with pytest.raises(ValueError, match="the nearest is bitmap"):
        MASK_CODECS.find("bitmaps")
    assert MASK_CODECS.find("ans") is EXACT_CODECS["ans"]


def test_shapes_without_weights():
    for codec in EXACT_CODECS.values():
        for shape in [(0,), (3, 0), (0, 3), (2**40, 0), ()]:
            mask = np.ones(shape, dtype=np.bool_)
            assert prod(shape) == mask.size
            assert np.array_equal(codec.decode(codec.encode(mask), shape), mask)


@ids
@given(mask=masks())
def test_an_encoded_mask_counts_and_decodes_its_own_streams(id, mask):
    encoded = encode_mask(mask, id)
    assert (encoded.codec, encoded.shape) == (id, mask.shape)
    assert np.array_equal(encoded.mask, mask)
    assert not encoded.mask.flags.writeable
    assert encoded.nbits == {name: 8 * len(stream) for name, stream in EXACT_CODECS[id].encode(mask).items()}
    if mask.size:
        assert encoded.bits_per_weight == sum(encoded.nbits.values()) / mask.size


def test_an_encoded_mask_keeps_nothing_of_the_mask_it_was_given():
    mask = np.arange(64).reshape(8, 8) % 5 == 0
    encoded = encode_mask(mask)
    kept = mask.copy()
    mask[:] = False
    assert encoded.codec == "ans_rc"
    assert np.array_equal(encoded.mask, kept)


def test_exact_codecs_encode_and_approximate_ones_fit():
    scores = np.ones((8, 8), dtype=np.float32)
    assert sorted(MASK_CODECS) == sorted([*EXACT_CODECS, *APPROXIMATE_CODECS])
    for id in APPROXIMATE_CODECS:
        with pytest.raises(ValueError, match=f"{id!r} is approximate"):
            encode_mask(scores > 0, id)
    for id in EXACT_CODECS:
        with pytest.raises(ValueError, match=f"{id!r} is exact"):
            fit_mask(scores, 0.5, id)


@pytest.mark.parametrize("prune_rate", [-0.1, 1.0, float("nan")])
def test_a_prune_rate_out_of_range_is_refused(prune_rate):
    with pytest.raises(ValueError, match="prune_rate"):
        fit_mask(np.ones((8, 8), dtype=np.float32), prune_rate, "lowrank")


@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_scores_that_are_no_magnitudes_are_refused(bad):
    scores = np.ones((8, 8), dtype=np.float32)
    scores[3, 4] = bad
    with pytest.raises(ValueError, match="scores"):
        fit_mask(scores, 0.5, "codebook")


def test_scores_of_an_empty_layer_are_refused():
    with pytest.raises(ValueError, match=r"\(0, 4\)"):
        fit_mask(np.ones((0, 4), dtype=np.float32), 0.5, "xor")
