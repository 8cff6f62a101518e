import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jaxtyping import TypeCheckError

from xorjax.codec.slicing import SLICINGS, count_slices
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.xor import METHODS, STREAMS, Encoded, encode
from xorjax.decoding import reference
from xorjax.gf2.network import XorNetwork


@st.composite
def problems(draw):
    """bits and care of any shape, and a network and settings of the code."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, max_side=9))
    n_in = draw(st.sampled_from([1, 2, 20, 63, 64, 65, 128]) | st.integers(1, 128))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = XorNetwork.from_matrix(rng.integers(0, 2, (n_in + draw(st.integers(1, 80)), n_in)))
    care = np.asarray(rng.random(shape) < draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1)))
    if draw(st.booleans()) and draw(st.booleans()):
        care = np.asarray(np.arange(care.size).reshape(shape) == draw(st.integers(0, care.size - 1)))
    settings = {
        "method": draw(st.sampled_from(METHODS)),
        "patch_format": draw(st.sampled_from(sorted(PATCH_FORMATS))),
        "patch_block": draw(st.integers(1, 70)),
        "slicing": draw(st.sampled_from(SLICINGS)),
        "slicing_seed": draw(st.integers(0, 2**40)),
    }
    return np.asarray(rng.random(shape) < 0.5), care, net, settings


@given(problems())
def test_decoding_returns_every_care_bit(problem):
    bits, care, net, settings = problem
    decoded = reference.decode(encode(bits, care, net, **settings))
    assert decoded.shape == bits.shape
    np.testing.assert_array_equal(decoded[care], bits[care])


@given(problems())
def test_streams_read_back(problem):
    bits, care, net, settings = problem
    encoded = encode(bits, care, net, **settings)
    n_slices = count_slices(bits.shape, net.n_out, settings["slicing"])
    assert encoded.codes.shape == (n_slices, -(-net.n_in // 64))
    assert len(encoded.n_patches) == n_slices
    assert list(encoded.streams) == list(STREAMS)
    assert len(encoded.streams["codes"]) == -(-n_slices * net.n_in // 8)
    assert encoded.nbits == {name: 8 * stream.nbytes for name, stream in encoded.streams.items()}
    assert encoded.bits_per_weight == sum(encoded.nbits.values()) / bits.size

    read = Encoded.from_streams(encoded.streams, care, net, **settings, n_bounded=encoded.n_bounded)
    for field in dataclasses.fields(Encoded):
        expected, value = getattr(encoded, field.name), getattr(read, field.name)
        if isinstance(expected, np.ndarray):
            assert value.dtype == expected.dtype
            np.testing.assert_array_equal(value, expected)
        else:
            assert value == expected


@given(problems())
def test_minimum_patches_are_no_more_than_greedy_s(problem):
    bits, care, net, settings = problem
    least, greedy = (
        encode(bits, care, net, **settings | {"method": method}) for method in ("minimum", "greedy")
    )
    assert (least.n_patches <= greedy.n_patches).all()
    assert greedy.n_bounded == 0
    assert 0 <= least.n_bounded <= len(least.codes)


def plane(shape=(40, 50), rate=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(shape) < 0.5, rng.random(shape) < rate


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_in", [12, 70])
def test_encoders_agree(method, n_in):
    net, (bits, care) = XorNetwork.random(n_in, 37 if n_in == 12 else 233), plane((20, 50))
    fast, slow = (encode(bits, care, net, method, encoder=encoder) for encoder in ("numba", "galois"))
    assert fast.n_patches.sum() > (10 if n_in == 12 else 0)
    for name in fast.streams:
        np.testing.assert_array_equal(fast.streams[name], slow.streams[name])


def test_formats_get_smaller_in_their_order():
    bits, care = plane((100, 200), 0.1)
    sizes = [
        encode(bits, care, XorNetwork.random(20, 190), "greedy", patch_format).bits_per_weight
        for patch_format in PATCH_FORMATS
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.85 * sizes[0]


def test_transposed_planes_are_taken_in_row_major_order():
    bits, care = plane()
    net = XorNetwork.random(12, 37)
    encoded = encode(bits.T, care.T, net)
    assert encoded.shape == (50, 40)
    np.testing.assert_array_equal(encoded.codes, encode(bits.T.copy(), care.T.copy(), net).codes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "gready"}, "method must be one of greedy, minimum, not 'gready'"),
        (
            {"patch_format": "papers"},
            "patch_format must be one of paper, blocked, care, enumerative, not 'papers'",
        ),
        ({"slicing": "diagonal"}, "slicing must be one of row_major, .*, not 'diagonal'"),
        ({"slicing_seed": -1}, "slicing_seed must be 0 or more, not -1"),
        ({"patch_block": 0}, "patch_block must be 1 slice or more, not 0"),
        ({"encoder": "numpy"}, "encoder must be one of numba, galois, not 'numpy'"),
        ({"care": np.ones(3, dtype=bool)}, r"bits have shape \(4,\), care \(3,\)"),
        ({"bits": np.ones(0, dtype=bool), "care": np.ones(0, dtype=bool)}, "at least one weight"),
    ],
)
def test_encode_refuses(changes, message):
    arguments = {"bits": np.ones(4, dtype=bool), "care": np.ones(4, dtype=bool)}
    with pytest.raises(ValueError, match=message):
        encode(net=XorNetwork.random(2, 5), **(arguments | changes))


def damaged(encoded, name, change):
    streams = {key: stream.copy() for key, stream in encoded.streams.items()}
    streams[name] = change(streams[name])
    return streams


def flip_last_bit(stream):
    stream[-1] ^= 0x80
    return stream


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    "change", [lambda stream: stream[:-1], lambda stream: np.append(stream, stream[-1:]), flip_last_bit]
)
def test_from_streams_names_a_damaged_stream(patch_format, name, change):
    # 55 slices of 37 bits: no stream of this plane ends on a whole byte, but the words of enumerative counts.
    (bits, care), net = plane(seed=3), XorNetwork.random(11, 37)
    streams = damaged(encode(bits, care, net, patch_format=patch_format), name, change)
    with pytest.raises(ValueError, match=f"stream '({name}|patch_positions)'"):
        Encoded.from_streams(streams, care, net, "minimum", patch_format, 16, "row_major")


@settings(max_examples=400)
@given(st.sampled_from(sorted(PATCH_FORMATS)), st.sampled_from(STREAMS), st.data())
def test_hostile_streams_are_refused_or_are_what_they_say(patch_format, name, data):
    """Any bytes: a named error, or an `Encoded` that writes exactly them."""
    (bits, care), net = plane((12, 20), 0.4), XorNetwork.random(7, 24)
    streams = dict(encode(bits, care, net, patch_format=patch_format).streams)
    if data.draw(st.booleans()):
        streams[name] = np.frombuffer(data.draw(st.binary(max_size=40)), np.uint8)
    else:
        stream = streams[name].copy()
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
        streams[name] = stream
    try:
        read = Encoded.from_streams(streams, care, net, "minimum", patch_format, 16, "row_major")
    except ValueError as error:
        named = re.match("stream '(codes|patch_counts|patch_positions)': ", str(error))
        if not named:
            raise
    else:
        assert all(np.array_equal(read.streams[key], streams[key]) for key in STREAMS)
        assert (read.n_patches <= read.care_slices.n_care).all()
        reference.decode(read)


def patched(positions, n_patches, care, patch_format="paper"):
    net = XorNetwork.random(2, 5)
    encoded = encode(np.ones(care.shape, bool), np.zeros(care.shape, bool), net, patch_format=patch_format)
    return dataclasses.replace(
        encoded, n_patches=np.array(n_patches, np.int32), patch_positions=np.array(positions, np.int32)
    )


@pytest.mark.parametrize("patch_format", ["paper", "blocked"])
@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0, 5, 1], "lies outside its slice of 5 bits"),
        ([3, 0, 1], "do not ascend"),
        ([3, 3, 1], "do not ascend"),
        ([0, 3, 4], "not that of a care bit"),  # the second slice ends at the plane's ninth bit
        ([0, 2, 3], "not that of a care bit"),
    ],
)
def test_from_streams_refuses_positions(patch_format, positions, message):
    care = np.arange(9) != 2
    streams = patched(positions, [2, 1], care, patch_format).streams
    with pytest.raises(ValueError, match=f"stream 'patch_positions': .*{message}"):
        Encoded.from_streams(streams, care, XorNetwork.random(2, 5), "greedy", patch_format, 16, "row_major")


def test_from_streams_refuses_more_patches_than_care_bits():
    care = np.arange(9) == 2
    streams = patched([0, 2], [2, 0], care).streams
    with pytest.raises(ValueError, match="stream 'patch_counts': a slice has more patches than care bits"):
        Encoded.from_streams(streams, care, XorNetwork.random(2, 5), "greedy", "paper", 16, "row_major")


def test_from_streams_refuses_a_missing_stream_and_wrong_settings():
    care, net = np.ones(9, bool), XorNetwork.random(2, 5)
    streams = dict(encode(care, care, net).streams)
    with pytest.raises(ValueError, match="n_bounded must be 0 to the 2 slices, not 3"):
        Encoded.from_streams(streams, care, net, "minimum", "care", 16, "row_major", n_bounded=3)
    with pytest.raises(ValueError, match="slicing must be one of"):
        Encoded.from_streams(streams, care, net, "minimum", "care", 16, "")
    del streams["patch_positions"]
    with pytest.raises(ValueError, match="stream 'patch_positions' is missing"):
        Encoded.from_streams(streams, care, net, "minimum", "care", 16, "row_major")


@pytest.mark.parametrize("values", [np.array([1, -1]), np.array([0.3, -0.3]), np.array([1, 0], np.uint8)])
def test_signs_that_are_not_boolean_are_refused(values):
    net, care = XorNetwork.random(2, 4), np.ones(2, bool)
    unchecked = getattr(encode, "__wrapped__", encode)
    with pytest.raises((ValueError, TypeCheckError), match="bits"):
        unchecked(values, care, net)
