"""The jitted decoder against the definition, and what it must not do inside jit."""

import jax
import jaxtyping
import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.codec.code import CodeError
from xorjax.codec.encoded import Encoded, encode
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.plane import CodedPlane
from xorjax.codec.slicing import SLICINGS
from xorjax.codec.xor import XorCode
from xorjax.decoding import patch_care, patch_enumerative, patch_paper
from xorjax.decoding.patch_care import select
from xorjax.decoding.planes import decode, decode_planes, pack
from xorjax.decoding.words import coarse, pack_words, read_fields, unpack_words
from xorjax.decoding.xor import build_tables
from xorjax.gf2.network import XorNetwork


def encoded_plane(
    shape,
    n_in,
    n_out,
    rate,
    patch_format="paper",
    slicing="row_major",
    method="greedy",
    patch_block=7,
    seed=0,
) -> Encoded:
    rng = np.random.default_rng(seed)
    net = XorNetwork.from_matrix(rng.integers(0, 2, (n_out, n_in)))
    bits, care = np.asarray(rng.random(shape) < 0.5), np.asarray(rng.random(shape) < rate)
    return encode(bits, care, net, method, patch_format, patch_block, slicing=slicing, slicing_seed=seed)


@st.composite
def plane_arguments(draw):
    n_in = draw(st.sampled_from([1, 63, 64, 65, 128]) | st.integers(1, 128))
    return (
        draw(hnp.array_shapes(min_dims=0, max_dims=4, max_side=12)),
        n_in,
        n_in + draw(st.integers(1, 100)),
        draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1)),
        draw(st.sampled_from(sorted(PATCH_FORMATS))),
        draw(st.sampled_from(SLICINGS)),
        draw(st.sampled_from(["greedy", "minimum"])),
        draw(st.integers(1, 20)),
        draw(st.integers(0, 2**32)),
    )


def assert_decodes(encoded):
    plane = decode(encoded)
    assert plane.dtype == bool
    np.testing.assert_array_equal(np.asarray(plane), reference.decode(encoded))


@settings(max_examples=5)  # each shape is compiled
@given(plane_arguments())
@example(((800, 20), 64, 96, 1.0))
@example(((800, 20), 20, 96, 1.0, "blocked", "shuffled"))
@example(((801,), 32, 320, 0.0, "enumerative"))
@example(((), 1, 3, 1.0, "care", "shuffled"))
@example(((3, 5, 7), 8, 32, 0.6, "blocked", "column_major", "minimum", 1))
@example(((4, 5, 2, 9), 65, 100, 1.0, "care", "column_major", "minimum"))
@example(((70, 90), 128, 400, 0.4, "enumerative", "interleaved"))  # indices of 4 limbs
@example(((60, 90), 63, 300, 0.9, "enumerative", "shuffled"))  # slices with more than 256 care bits and fewer
@example(((90, 60), 1, 5, 0.5, "care", "interleaved"))
@example(((3, 30), 4, 30, 1.0, "care"))  # a Rice parameter above 0
@example(((50, 100), 1, 4, 0.5, "enumerative", "row_major", "minimum"))  # escaped counts
def test_decode_equals_the_definition(arguments):
    assert_decodes(encoded_plane(*arguments))


@pytest.mark.slow
@settings(max_examples=300)
@given(plane_arguments())
def test_decode_equals_the_definition_in_300_shapes(arguments):
    assert_decodes(encoded_plane(*arguments))


def test_what_encode_does_not_return_is_refused(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(CodeError, match=r"takes what `encode` returns, not a ndarray; .* w\.to_array\(\)"):
        decode(np.ones(3))


def test_the_reference_on_a_slice_worked_by_hand():
    net = XorNetwork.from_matrix(np.array([[1, 0], [0, 1], [1, 1]]))
    encoded = Encoded(
        XorCode(n_in=2, n_out=3, slicing="row_major"),
        net,
        CodedPlane(np.array([[1], [3]], np.uint64), np.array([1, 0], np.int32), np.array([2], np.int32)),
        np.array([True, False, True, True, False]),
    )
    # (1, 0) -> 1 0 1, its third bit flipped; (1, 1) -> 1 1 0, the last bit is padding.
    expected = [True, False, False, True, True]
    assert reference.decode(encoded).tolist() == expected
    assert np.asarray(decode(encoded)).tolist() == expected


@given(st.data())
def test_read_fields_at_any_offset(data):
    words = data.draw(hnp.arrays(np.uint32, 8))
    k = 5
    offsets = data.draw(hnp.arrays(np.uint32, k, elements=st.integers(0, 6 * 32)))
    widths = data.draw(hnp.arrays(np.uint32, k, elements=st.integers(0, 32)))
    number = int.from_bytes(words.astype("<u4").tobytes(), "little")
    expected = [number >> int(o) & ((1 << int(w)) - 1) for o, w in zip(offsets, widths, strict=True)]
    fields = jax.jit(read_fields)(
        jax.numpy.asarray(words), jax.numpy.asarray(offsets), jax.numpy.asarray(widths)
    )
    assert np.asarray(fields).tolist() == expected


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=70)))
@settings(max_examples=4)
def test_rows_of_bits_are_packed_and_unpacked(bits):
    words = pack_words(jax.numpy.asarray(bits))
    assert words.shape == (len(bits), -(-bits.shape[1] // 32))
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    np.testing.assert_array_equal(
        np.unpackbits(np.asarray(words).view(np.uint8), axis=1, bitorder="little"), padded
    )
    np.testing.assert_array_equal(np.asarray(unpack_words(words, bits.shape[1])), bits)


@pytest.mark.parametrize("rate", [0.05, 0.5, 1.0])
def test_select_finds_every_care_bit(rate):
    care = np.random.default_rng(0).random((20, 150)) < rate
    slices, positions = np.nonzero(care)
    numbers = (care.cumsum(axis=1) - 1)[slices, positions]
    words = pack_words(jax.numpy.asarray(care))
    found = jax.jit(select)(words, slices.astype(np.uint32), numbers.astype(np.uint32))
    np.testing.assert_array_equal(np.asarray(found), positions)


@pytest.mark.parametrize(
    ("patch_format", "reader"),
    [
        ("paper", patch_paper),
        ("blocked", patch_paper),
        ("care", patch_care),
        ("enumerative", patch_enumerative),
    ],
)
def test_counts_are_read_from_their_stream(patch_format, reader):
    encoded = encoded_plane((9000,), 9, 40, 0.5, patch_format)
    packed = pack(encoded.planes, encoded.care)
    assert len(np.unique(encoded.n_patches)) > 3
    care = pack_words(jax.numpy.asarray(encoded.care.reshape(-1, 40)))
    words = {name: array[0] for name, array in packed.words["patches"].items()}
    counts = reader.read_counts(words, packed.format, care)
    np.testing.assert_array_equal(np.asarray(counts), encoded.n_patches)


def test_enumerative_counts_of_many_slices_have_several_states():
    encoded = encoded_plane((5, 41000), 4, 12, 0.5, "enumerative", "interleaved")
    assert len(encoded.codes) > 4 * 4096
    np.testing.assert_array_equal(np.asarray(decode(encoded))[encoded.care], bits_of(encoded))


def bits_of(encoded):
    rng = np.random.default_rng(0)
    rng.integers(0, 2, (encoded.net.n_out, encoded.net.n_in))
    return (rng.random(encoded.shape) < 0.5)[encoded.care]


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
def test_the_words_are_the_streams(patch_format):
    encoded = encoded_plane((3000,), 9, 40, 0.5, patch_format)
    words, streams = pack(encoded.planes, encoded.care).words, encoded.streams
    for array, stream, room in (
        (words["codes"], streams["codes"], 8),
        # Up to 64 words, or a quarter more.
        (words["patches"]["counts"], streams["patch_counts"][1:], 256),
        (words["patches"]["positions"], streams["patch_positions"], 256),
    ):
        read = np.asarray(array[0]).astype("<u4").view(np.uint8)
        np.testing.assert_array_equal(read[: len(stream)], stream)
        assert not read[len(stream) :].any()
        assert len(read) - len(stream) <= room


def test_tables_hold_the_xor_of_the_selected_columns():
    net = XorNetwork.random(20, 70)
    tables = np.asarray(build_tables(net))
    assert tables.shape == (3, 128, 3)  # 7 + 7 + 6 bits
    bits = np.unpackbits(tables.view(np.uint8), axis=2, bitorder="little")
    expected = net.matrix[:, [7, 8, 10]].sum(axis=1) % 2
    np.testing.assert_array_equal(bits[1, 0b1011, :70], expected)
    assert not bits[:, :, 70:].any()


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
def test_the_jitted_decoder_calls_nothing_outside(patch_format):
    encoded = encoded_plane((300,), 9, 40, 0.5, patch_format, "shuffled")
    packed = pack(encoded.planes, encoded.care)
    assert packed.format.needs_mask == (patch_format in ("care", "enumerative"))
    text = decode_planes.lower(packed, jax.numpy.asarray(encoded.care)).as_text()
    assert "callback" not in text
    assert "f32" not in text


@pytest.mark.parametrize("slicing", SLICINGS)
@pytest.mark.parametrize("patch_format", ["enumerative"])
def test_decoding_holds_less_than_two_bytes_a_weight(patch_format, slicing):
    """Beside the plane and the mask: nothing of 4 bytes for each weight, whatever the slicing."""
    encoded = encoded_plane((1000, 1000), 20, 200, 0.1, patch_format, slicing)
    mask = jax.numpy.asarray(encoded.care)
    compiled = decode_planes.lower(pack(encoded.planes, encoded.care), mask).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 2 * encoded.n_weights


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
def test_planes_of_one_shape_compile_once(patch_format):
    """Numbers of patches, Rice parameters and widths of counts differ from plane to plane; the program does not."""
    rng, mask = np.random.default_rng(1), np.random.default_rng(0).random((60, 70)) < 0.3
    planes = rng.random((5, 60, 70)) < np.array([0.5, 0.5, 0.5, 0.9, 1.0])[:, None, None]
    code = XorCode(n_in=10, n_out=48, patch_format=patch_format, method="greedy")
    encoded = code.encode(planes, mask)
    assert len({len(encoded.streams[f"{p}/patch_positions"]) for p in range(5)}) > 2
    before = decode_planes._cache_size()
    decoded = decode_planes(pack(encoded, mask), jax.numpy.asarray(mask))
    np.testing.assert_array_equal(np.asarray(decoded), encoded.code.decode(encoded, mask))
    # The most demanding plane five times over: the same sizes, other words.
    again = code.encode(planes[[*np.argsort(planes.sum((1, 2)))]], mask)
    decoded = decode_planes(pack(again, mask), jax.numpy.asarray(mask))
    np.testing.assert_array_equal(np.asarray(decoded), again.code.decode(again, mask))
    assert decode_planes._cache_size() == before + 1


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
def test_weights_of_one_shape_and_rate_share_programs(patch_format):
    rng, net = np.random.default_rng(0), XorNetwork.random(12, 96)
    programs, n_patches = set(), set()
    for _ in range(6):
        mask = rng.random((300, 400)) < 0.15
        encoded = encode(rng.random(mask.shape) < 0.5, mask, net, patch_format=patch_format)
        n_patches.add(len(encoded.patch_positions))
        packed = pack(encoded.planes, mask)
        programs.add((str(jax.tree.map(np.shape, packed.words)), packed.format))
    assert len(n_patches) > 3
    assert len(programs) <= 3


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
def test_planes_without_a_mask_decode_together(patch_format):
    planes = np.random.default_rng(1).random((3, 40, 31)) < 0.5
    encoded = XorCode(n_in=10, n_out=48, patch_format=patch_format, method="greedy").encode(planes, None)
    decoded = decode_planes(pack(encoded, None))
    np.testing.assert_array_equal(np.asarray(decoded), planes)


@given(st.integers(0, 10**9))
def test_coarse_lengths_are_64_or_a_quarter_larger_at_most(n):
    assert n <= coarse(n) <= max(64, n + n / 4)
    assert (coarse(n) == 0) == (n == 0)
    assert coarse(coarse(n)) == coarse(n)
