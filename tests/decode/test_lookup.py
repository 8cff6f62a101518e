"""The jitted decoder against the definition, and what it must not do inside jit."""

import jax
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.codec.xor import Encoded, encode
from xorjax.decode import lookup, reference
from xorjax.gf2.network import XorNetwork


def encoded_plane(shape, n_in, n_out, rate, patch_format="paper", patch_block=64, seed=0) -> Encoded:
    rng = np.random.default_rng(seed)
    net = XorNetwork.from_matrix(rng.integers(0, 2, (n_out, n_in)))
    return encode(
        rng.random(shape) < 0.5,
        rng.random(shape) < rate,
        net,
        patch_format=patch_format,
        patch_block=patch_block,
    )


@st.composite
def plane_arguments(draw):
    n_in = draw(st.integers(1, 64))
    return (
        draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=12)),
        n_in,
        n_in + draw(st.integers(1, 100)),
        draw(st.floats(0, 1)),
        draw(st.sampled_from(["paper", "blocked"])),
        draw(st.integers(1, 20)),
        draw(st.integers(0, 2**32)),
    )


@settings(max_examples=15)  # each shape is compiled
@given(plane_arguments())
@example(((800, 20), 64, 96, 1.0))
@example(((800, 20), 20, 96, 1.0, "blocked", 7))
@example(((801,), 32, 320, 0.0))
@example(((3, 5, 7), 8, 32, 0.6, "blocked", 1))
@example(((1,), 1, 2, 1.0))
def test_decode_equals_the_definition(arguments):
    encoded = encoded_plane(*arguments)
    plane = lookup.decode(encoded)
    assert plane.dtype == bool
    np.testing.assert_array_equal(np.asarray(plane), reference.decode(encoded))


@pytest.mark.slow
@settings(max_examples=300)
@given(plane_arguments())
def test_decode_equals_the_definition_in_300_shapes(arguments):
    encoded = encoded_plane(*arguments)
    np.testing.assert_array_equal(np.asarray(lookup.decode(encoded)), reference.decode(encoded))


def test_the_reference_on_a_slice_worked_by_hand():
    net = XorNetwork.from_matrix(np.array([[1, 0], [0, 1], [1, 1]]))
    encoded = Encoded(
        (5,),
        net,
        "greedy",
        "paper",
        64,
        np.array([1, 3], np.uint64),
        np.array([1, 0], np.int32),
        np.array([2], np.int32),
    )
    # (1, 0) -> 1 0 1, its third bit flipped; (1, 1) -> 1 1 0, the last bit is padding.
    expected = [True, False, False, True, True]
    assert reference.decode(encoded).tolist() == expected
    assert np.asarray(lookup.decode(encoded)).tolist() == expected


@given(st.data())
def test_read_fields_at_any_offset(data):
    words = data.draw(hnp.arrays(np.uint32, 8))
    k = 5
    offsets = data.draw(hnp.arrays(np.uint32, k, elements=st.integers(0, 6 * 32)))
    widths = data.draw(hnp.arrays(np.uint32, k, elements=st.integers(0, 31)))
    number = int.from_bytes(words.astype("<u4").tobytes(), "little")
    expected = [number >> int(o) & ((1 << int(w)) - 1) for o, w in zip(offsets, widths, strict=True)]
    fields = jax.jit(lookup.read_fields)(
        jax.numpy.asarray(words), jax.numpy.asarray(offsets), jax.numpy.asarray(widths)
    )
    assert np.asarray(fields).tolist() == expected


@pytest.mark.parametrize("patch_format", ["paper", "blocked"])
def test_counts_are_read_from_their_stream(patch_format):
    encoded = encoded_plane((3000,), 9, 40, 0.5, patch_format, patch_block=5)
    words, layout = lookup.pack_plane(encoded)
    assert len(np.unique(encoded.n_patches)) > 3
    np.testing.assert_array_equal(np.asarray(lookup.read_counts(words.counts, layout)), encoded.n_patches)


def test_the_words_are_the_streams():
    encoded = encoded_plane((3000,), 9, 40, 0.5)
    words, _ = lookup.pack_plane(encoded)
    streams = encoded.streams
    for array, stream in zip(
        words, (streams["codes"], streams["patch_counts"][1:], streams["patch_positions"]), strict=True
    ):
        read = np.asarray(array).astype("<u4").view(np.uint8)
        np.testing.assert_array_equal(read[: len(stream)], stream)
        assert not read[len(stream) :].any()
        assert len(read) - len(stream) <= 8


def test_tables_hold_the_xor_of_the_selected_columns():
    net = XorNetwork.random(20, 70)
    tables = np.asarray(lookup.build_tables(net))
    assert tables.shape == (3, 128, 3)  # 7 + 7 + 6 bits
    bits = np.unpackbits(tables.view(np.uint8), axis=2, bitorder="little")
    expected = net.matrix[:, [7, 8, 10]].sum(axis=1) % 2
    np.testing.assert_array_equal(bits[1, 0b1011, :70], expected)
    assert not bits[:, :, 70:].any()


def test_the_jitted_decoder_calls_nothing_outside():
    words, layout = lookup.pack_plane(encoded_plane((300,), 9, 40, 0.5))
    tables = lookup.build_tables(XorNetwork.random(9, 40))
    text = lookup.decode_plane.lower(words, tables, layout).as_text()
    assert "callback" not in text
    assert "f32" not in text
