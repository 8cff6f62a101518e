import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jaxtyping import TypeCheckError

from xorjax.codec.layout import LAYOUTS, count_slices
from xorjax.codec.xor import Encoded, encode
from xorjax.decode import reference
from xorjax.gf2.network import XorNetwork

formats = st.sampled_from(["paper", "blocked"])
layouts = st.sampled_from(LAYOUTS)


@st.composite
def problems(draw):
    """bits and care of any shape, a network, and settings of the code."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=9))
    n_in = draw(st.integers(1, 64))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = XorNetwork.from_matrix(rng.integers(0, 2, (n_in + draw(st.integers(1, 80)), n_in)))
    care = rng.random(shape) < draw(st.floats(0, 1))
    return rng.random(shape) < 0.5, care, net, draw(formats), draw(st.integers(1, 70)), draw(layouts)


@given(problems())
def test_decoding_returns_every_care_bit(problem):
    bits, care, net, patch_format, patch_block, layout = problem
    encoded = encode(bits, care, net, patch_format=patch_format, patch_block=patch_block, layout=layout)
    decoded = reference.decode(encoded)
    assert decoded.shape == bits.shape
    np.testing.assert_array_equal(decoded[care], bits[care])


@given(problems())
def test_streams_have_the_size_of_the_formula_and_read_back(problem):
    bits, care, net, patch_format, patch_block, layout = problem
    encoded = encode(bits, care, net, patch_format=patch_format, patch_block=patch_block, layout=layout)
    n_slices = count_slices(bits.shape, net.n_out, layout)
    assert len(encoded.codes) == len(encoded.n_patches) == n_slices
    assert len(encoded.streams["codes"]) == -(-n_slices * net.n_in // 8)
    width = int(np.ceil(np.log2(net.n_out)))
    assert len(encoded.streams["patch_positions"]) == -(-encoded.n_patches.sum() * width // 8)
    if patch_format == "paper":
        width = int(np.ceil(np.log2(encoded.n_patches.max() + 1)))
        assert len(encoded.streams["patch_counts"]) == 1 + -(-n_slices * width // 8)
    assert encoded.nbits == {name: 8 * stream.nbytes for name, stream in encoded.streams.items()}
    assert encoded.bits_per_weight == sum(encoded.nbits.values()) / bits.size

    read = Encoded.from_streams(encoded.streams, bits.shape, net, "greedy", patch_format, patch_block, layout)
    for field in ("codes", "n_patches", "patch_positions"):
        expected = getattr(encoded, field)
        assert getattr(read, field).dtype == expected.dtype
        np.testing.assert_array_equal(getattr(read, field), expected)
    assert (read.shape, read.net, read.method) == (encoded.shape, net, "greedy")


def plane(shape=(40, 50), rate=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random(shape) < 0.5, rng.random(shape) < rate


def test_encoders_agree():
    net = XorNetwork.random(12, 37)
    fast, slow = (encode(*plane(), net, encoder=encoder) for encoder in ("numba", "galois"))
    assert fast.n_patches.sum() > 10
    for name in fast.streams:
        np.testing.assert_array_equal(fast.streams[name], slow.streams[name])


def test_transposed_planes_are_taken_in_row_major_order():
    bits, care = plane()
    net = XorNetwork.random(12, 37)
    encoded = encode(bits.T, care.T, net)
    assert encoded.shape == (50, 40)
    np.testing.assert_array_equal(encoded.codes, encode(bits.T.copy(), care.T.copy(), net).codes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "gready"}, "method must be one of greedy, not 'gready'"),
        ({"patch_format": "papers"}, "patch_format must be one of paper, blocked, not 'papers'"),
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


def set_last_bit(stream):
    stream[-1] |= 0x80
    return stream


@pytest.mark.parametrize("patch_format", ["paper", "blocked"])
@pytest.mark.parametrize("name", ["codes", "patch_counts", "patch_positions"])
@pytest.mark.parametrize(
    "change", [lambda stream: stream[:-1], lambda stream: np.append(stream, stream[-1:]), set_last_bit]
)
def test_from_streams_names_a_damaged_stream(patch_format, name, change):
    # 55 slices of 37 bits: no stream of this plane ends on a whole byte.
    net = XorNetwork.random(11, 37)
    encoded = encode(*plane(), net, patch_format=patch_format)
    with pytest.raises(ValueError, match=f"stream '{name}'"):
        Encoded.from_streams(damaged(encoded, name, change), (40, 50), net, "greedy", patch_format, 64)


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0, 5, 1], "lies outside its slice of 5 bits"),
        ([3, 0, 1], "do not ascend"),
        ([3, 3, 1], "do not ascend"),
        ([0, 3, 4], "lies outside its slice"),  # the second slice ends at the plane's ninth bit
    ],
)
def test_from_streams_refuses_positions(positions, message):
    net = XorNetwork.random(2, 5)
    encoded = encode(np.ones(9, dtype=bool), np.zeros(9, dtype=bool), net)
    patched = dataclasses.replace(
        encoded, n_patches=np.array([2, 1], np.int32), patch_positions=np.array(positions, np.int32)
    )
    with pytest.raises(ValueError, match=f"stream 'patch_positions': .*{message}"):
        Encoded.from_streams(patched.streams, (9,), net, "greedy", "paper", 64)


def test_from_streams_refuses_a_missing_stream():
    net = XorNetwork.random(2, 5)
    streams = {"codes": np.zeros(1, np.uint8), "patch_counts": np.zeros(1, np.uint8)}
    with pytest.raises(ValueError, match="stream 'patch_positions' is missing"):
        Encoded.from_streams(streams, (9,), net, "greedy", "paper", 64)


@pytest.mark.parametrize("values", [np.array([1, -1]), np.array([0.3, -0.3]), np.array([1, 0], np.uint8)])
def test_signs_that_are_not_boolean_are_refused(values):
    net, care = XorNetwork.random(2, 4), np.ones(2, bool)
    unchecked = getattr(encode, "__wrapped__", encode)
    with pytest.raises((ValueError, TypeCheckError), match="bits"):
        unchecked(values, care, net)
