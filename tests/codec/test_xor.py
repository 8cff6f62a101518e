import dataclasses
import re

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jaxtyping import TypeCheckError

from xorjax.codec.code import CodeError, EncodedPlanes
from xorjax.codec.encoded import encode
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.plane import METHODS, STREAMS
from xorjax.codec.predict import choose_n_out
from xorjax.codec.slicing import SLICINGS, count_slices
from xorjax.codec.xor import XorCode, care_slices, network
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

    plane = next(encoded.code.read(encoded.planes, care))
    for name, expected in (
        ("codes", encoded.codes),
        ("n_patches", encoded.n_patches),
        ("patch_positions", encoded.patch_positions),
    ):
        assert getattr(plane, name).dtype == expected.dtype
        np.testing.assert_array_equal(getattr(plane, name), expected)


@given(problems())
def test_the_fast_decoder_is_the_definition(problem):
    bits, care, net, settings = problem
    encoded = encode(bits, care, net, **settings)
    decoded = encoded.code.decode(encoded.planes, care)
    np.testing.assert_array_equal(decoded, reference.decode(encoded)[None])


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
        (
            {"method": "gready"},
            "method is 'gready'; it must be one of greedy, minimum; the nearest is greedy",
        ),
        (
            {"patch_format": "papers"},
            "patch_format is 'papers'; it must be one of paper, blocked, care, enumerative; the nearest is paper",
        ),
        ({"slicing": "diagonal"}, "slicing is 'diagonal'; it must be one of row_major, "),
        ({"slicing_seed": -1}, "slicing_seed is -1; it must be at least 0"),
        ({"patch_block": 0}, "patch_block is 0; it must be at least 1"),
        ({"encoder": "numpy"}, "encoder is 'numpy'; it must be one of numba, galois"),
        ({"care": np.ones(3, dtype=bool)}, r"bits have shape \(4,\), care \(3,\)"),
        ({"bits": np.ones(0, dtype=bool), "care": np.ones(0, dtype=bool)}, "at least one weight"),
    ],
)
def test_encode_refuses(changes, message):
    arguments = {"bits": np.ones(4, dtype=bool), "care": np.ones(4, dtype=bool)}
    with pytest.raises(ValueError, match=message):
        encode(net=XorNetwork.random(2, 5), **(arguments | changes))


def decode_streams(encoded, streams, **changes):
    """What the code's decoder makes of other streams."""
    streams = {f"0/{name}": stream for name, stream in streams.items()}
    planes = dataclasses.replace(encoded.planes, streams=streams, **changes)
    return planes.code.decode(planes, encoded.care)


def flip_last_bit(stream):
    stream[-1] ^= 0x80
    return stream


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    "change", [lambda stream: stream[:-1], lambda stream: np.append(stream, stream[-1:]), flip_last_bit]
)
def test_a_damaged_stream_is_named(patch_format, name, change):
    # 55 slices of 37 bits: no stream of this plane ends on a whole byte, but the words of enumerative counts.
    (bits, care), net = plane(seed=3), XorNetwork.random(11, 37)
    encoded = encode(bits, care, net, patch_format=patch_format)
    streams = {key: stream.copy() for key, stream in encoded.streams.items()}
    streams[name] = change(streams[name])
    with pytest.raises(ValueError, match=f"stream '0/({name}|patch_positions)'"):
        decode_streams(encoded, streams)


@settings(max_examples=400)
@given(st.sampled_from(sorted(PATCH_FORMATS)), st.sampled_from(STREAMS), st.data())
def test_hostile_streams_are_refused_or_are_what_they_say(patch_format, name, data):
    """Any bytes: a named error, or a plane that is written as exactly them."""
    (bits, care), net = plane((12, 20), 0.4), XorNetwork.random(7, 24)
    encoded = encode(bits, care, net, patch_format=patch_format)
    streams = dict(encoded.streams)
    if data.draw(st.booleans()):
        streams[name] = np.frombuffer(data.draw(st.binary(max_size=40)), np.uint8)
    else:
        stream = streams[name].copy()
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= data.draw(st.integers(1, 255))
        streams[name] = stream
    hostile = dataclasses.replace(
        encoded.planes, streams={f"0/{key}": stream for key, stream in streams.items()}, notes={}
    )
    try:
        read = next(hostile.code.read(hostile, care))
    except ValueError as error:
        named = re.match("stream '0/(codes|patch_counts|patch_positions)': ", str(error))
        if not named:
            raise
    else:
        again = dataclasses.replace(encoded, plane=read)
        assert all(np.array_equal(again.streams[key], streams[key]) for key in STREAMS)
        assert (read.n_patches <= care_slices(hostile.code, care.shape, care).n_care).all()
        np.testing.assert_array_equal(hostile.code.decode(hostile, care)[0], reference.decode(again))


def patched(positions, n_patches, care, patch_format="paper"):
    net = XorNetwork.random(2, 5)
    encoded = encode(np.ones(care.shape, bool), np.zeros(care.shape, bool), net, patch_format=patch_format)
    plane = dataclasses.replace(
        encoded.plane, n_patches=np.array(n_patches, np.int32), patch_positions=np.array(positions, np.int32)
    )
    return dataclasses.replace(encoded, plane=plane)


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
def test_wrong_positions_are_refused(patch_format, positions, message):
    care = np.arange(9) != 2
    encoded = dataclasses.replace(patched(positions, [2, 1], care, patch_format), care=care)
    with pytest.raises(ValueError, match=f"stream '0/patch_positions': .*{message}"):
        decode_streams(encoded, encoded.streams)


def test_more_patches_than_care_bits_are_refused():
    care = np.arange(9) == 2
    encoded = dataclasses.replace(patched([0, 2], [2, 0], care), care=care)
    with pytest.raises(ValueError, match="stream '0/patch_counts': a slice has more patches than care bits"):
        decode_streams(encoded, encoded.streams)


def test_what_does_not_go_with_the_streams_is_refused():
    care, net = np.ones(9, bool), XorNetwork.random(2, 5)
    encoded = encode(care, care, net)
    matrix = encoded.planes.shared["matrix"]
    for changes, message in (
        ({"notes": {"n_bounded": 3}}, "n_bounded must be 0 to the 2 slices, not 3"),
        ({"notes": {"n_patches": 70}}, "n_patches is noted as 70, but there are"),
        ({"code": dataclasses.replace(encoded.code, slicing="")}, "slicing is ''; it must be one of"),
        ({"shared": {}}, "'matrix' is missing"),
        ({"shared": {"matrix": matrix[:-1]}}, "1 bytes are not 5 rows of 2 bits"),
        ({"shared": {"matrix": matrix | np.array([0, 128], np.uint8)}}, "a bit is set after the last row"),
        (
            {"shared": {"matrix": matrix, "other": matrix}},
            "shared array 'other' does not belong to the code 'xor'",
        ),
        ({"code": dataclasses.replace(encoded.code, n_out=None)}, "n_out or the shared array"),
        ({"n_planes": 2}, "stream '1/codes' is missing"),
        ({"shape": (10**12,)}, "1 bytes are not 200000000000 code words of 2 bits"),
    ):
        with pytest.raises(ValueError, match=message):
            decode_streams(encoded, encoded.streams, **changes)
    streams = dict(encoded.streams)
    with pytest.raises(ValueError, match="stream '0/more' does not belong to the code 'xor'"):
        decode_streams(encoded, {**streams, "more": matrix})
    del streams["patch_positions"]
    with pytest.raises(ValueError, match="stream '0/patch_positions' is missing"):
        decode_streams(encoded, streams)


def layer(n_planes=2, shape=(40, 50), rate=0.2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n_planes, *shape)) < 0.5, rng.random(shape) < rate


@pytest.mark.parametrize("slicing", SLICINGS)
@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
def test_a_layer_is_its_planes_encoded_one_by_one(slicing, patch_format, monkeypatch):
    """A tile at a time, too: the last one is not whole."""
    planes, mask = layer()
    code = XorCode(
        n_in=9, n_out=40, seed=3, slicing=slicing, slicing_seed=5, patch_format=patch_format, patch_block=7
    )
    net = XorNetwork.random(9, 40, seed=3)
    alone = [
        encode(bits, mask, net, "minimum", patch_format, 7, slicing=slicing, slicing_seed=5)
        for bits in planes
    ]
    monkeypatch.setattr("xorjax.codec.plane.TILE", 7 * 40)
    told = []
    encoded = code.encode(planes, mask, told.append)
    assert told == sorted(told)
    assert len(told) > 10
    assert told[-1] == 1
    for p, plane in enumerate(alone):
        for name, stream in plane.streams.items():
            np.testing.assert_array_equal(encoded.streams[f"{p}/{name}"], stream)
    assert encoded.notes == {
        "n_bounded": sum(plane.n_bounded for plane in alone),
        "n_patches": sum(len(plane.patch_positions) for plane in alone),
    }
    np.testing.assert_array_equal(encoded.code.decode(encoded, mask)[:, mask], planes[:, mask])


def test_n_out_is_chosen_from_the_mask():
    planes, mask = layer(shape=(200, 300), rate=0.05)
    encoded = XorCode(n_in=12).encode(planes, mask)
    assert encoded.code == XorCode(n_in=12, n_out=choose_n_out(12, mask))
    assert XorCode(n_in=12).encode(planes, None).code.n_out == choose_n_out(12, np.ones_like(mask))
    of_fill = XorCode(n_in=12, fill=0.95).encode(planes, mask).code
    assert of_fill == XorCode(n_in=12, n_out=round(0.95 * 12 * mask.size / mask.sum()))


def test_columns_say_how_and_what():
    planes, mask = layer()
    encoded = XorCode(n_in=9, n_out=40, seed=3).encode(planes, mask)
    assert encoded.code.describe(encoded) == {
        "n_in": 9,
        "n_out": 40,
        "method": "minimum",
        "patch_format": "care",
        "slicing": "interleaved",
        "xor_seed": 3,
        "xor_sha256": XorNetwork.random(9, 40, seed=3).sha256,
        "n_slices": 2 * count_slices((40, 50), 40, "interleaved"),
        **encoded.notes,
    }
    assert encoded.notes["n_patches"] > 0
    assert network(encoded) == XorNetwork.random(9, 40, seed=3)
    assert isinstance(encoded, EncodedPlanes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_in": 129}, "n_in is 129; it must be at least 1 and at most 128"),
        ({"n_in": 20, "n_out": 20}, "n_out is 20; it must be more than n_in, 20"),
        ({"n_out": 64, "fill": 1.0}, "fill is 1.0; it must be null where n_out is given, here 64"),
        ({"n_in": 8, "taps": 9}, "taps is 9; it must be at most n_in, 8"),
        ({"seed": None}, "seed is null"),
        ({"n_in": 60, "n_out": 61, "taps": 1}, "none of 1000 draws"),
        ({"n_in": 8, "fill": 1e-3}, "fill 0.001 gives n_out 0 .*; n_out must be more than n_in, 8"),
        ({"method": "paper"}, "method is 'paper'; it must be one of greedy, minimum"),
    ],
)
def test_settings_that_cannot_be_are_the_users(settings, message):
    with pytest.raises(CodeError, match=message):
        XorCode(**settings).encode(*layer())


def test_reprs_are_a_line():
    bits, care = plane()
    encoded = encode(bits, care, XorNetwork.random(9, 40, seed=3))
    assert repr(encoded) == (
        f"Encoded((40, 50), {encoded.code!r}, {len(encoded.patch_positions)} patches, "
        f"{encoded.bits_per_weight:.4f} bits/weight)"
    )
    assert "n_in=9, n_out=40" in repr(encoded)
    assert repr(encoded.planes) == (
        f"EncodedPlanes((40, 50), 1 plane, {encoded.code!r}, {encoded.bits_per_weight:.4f} bits/weight)"
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [("bits", "for signs of weights, weights >= 0"), ("care", "for a mask of numbers, mask != 0")],
)
def test_numbers_are_refused_with_the_way_to_booleans(name, advice):
    unchecked = getattr(encode, "__wrapped__", encode)
    arrays = {"bits": np.ones(4, bool), "care": np.ones(4, bool)}
    with pytest.raises(CodeError, match=f"{name} has dtype float64, expected bool: {advice}"):
        unchecked(**(arrays | {name: np.ones(4)}), net=XorNetwork.random(2, 5))


@pytest.mark.parametrize("values", [np.array([1, -1]), np.array([0.3, -0.3]), np.array([1, 0], np.uint8)])
def test_signs_that_are_not_boolean_are_refused(values):
    net, care = XorNetwork.random(2, 4), np.ones(2, bool)
    unchecked = getattr(encode, "__wrapped__", encode)
    with pytest.raises((ValueError, TypeCheckError), match="bits"):
        unchecked(values, care, net)
