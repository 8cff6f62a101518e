"""Patch formats: bytes worked by hand, sizes by formula, round trips, and refusals."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.codec.patches import PATCH_FORMATS, CareSlices, PatchFormat, get_patch_format
from xorjax.codec.patches.base import pack_varied, unpack_varied
from xorjax.codec.patches.care import number_widths
from xorjax.codec.patches.count_model import MODELS, count_row
from xorjax.codec.patches.paper import position_width
from xorjax.gf2.pack import unpack_fields

formats = st.sampled_from(sorted(PATCH_FORMATS))


def bytes_of(bits):
    return -(-bits // 8)


def care_slices(n_care, n_in=3, n_out=None, patch_block=2):
    """Slices whose care bits are their first."""
    n_care = np.array(n_care, np.int32)
    n_out = n_out or int(n_care.max()) + 1
    return CareSlices.of(np.arange(n_out) < n_care[:, None], n_in, patch_block)


def counts_stream(counts, patch_format, patch_block=2, n_care=None, n_in=3):
    counts = np.array(counts, np.int32)
    slices = care_slices(counts if n_care is None else n_care, n_in, patch_block=patch_block)
    stream = PATCH_FORMATS[patch_format].pack_counts(counts, slices)
    assert stream.dtype == np.uint8
    assert PATCH_FORMATS[patch_format].unpack_counts(stream, slices).tolist() == counts.tolist()
    return stream.tolist()


@st.composite
def patched_slices(draw):
    """Slices with random care bits, and patches among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_slices, n_in = draw(st.integers(1, 40)), draw(st.integers(1, 128))
    n_out = draw(st.one_of(st.integers(2, 60), st.integers(250, 300)))
    care = rng.random((n_slices, n_out)) < draw(st.sampled_from([0, 0.1, 0.5, 0.95, 1]))
    patched = care & (rng.random(care.shape) < draw(st.sampled_from([0, 0.02, 0.5, 1])))
    slices = CareSlices.of(care, n_in, draw(st.integers(1, 50)))
    n_patches = patched.sum(axis=1).astype(np.int32)
    return slices, n_patches, np.nonzero(patched)[1].astype(np.int32)


@given(formats, patched_slices())
def test_patches_round_trip(patch_format, patches):
    slices, n_patches, positions = patches
    codec = PATCH_FORMATS[patch_format]
    counts = codec.pack_counts(n_patches, slices)
    read = codec.unpack_counts(counts, slices)
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, n_patches)
    stream = codec.pack_positions(n_patches, positions, slices)
    assert counts.dtype == stream.dtype == np.uint8
    read = codec.unpack_positions(stream, n_patches, slices)
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, positions)


def position_bits(patch_format, k, d, n_out):
    """Bits of a slice's positions by the formulas of docs/method.md."""
    if patch_format in ("paper", "blocked"):
        return d * math.ceil(math.log2(n_out))
    field = math.ceil(math.log2(max(k, 1)))
    if patch_format == "care" or k > 256:
        return d * field
    return (math.comb(k, d) - 1).bit_length()


@given(formats, patched_slices())
def test_positions_have_the_size_of_the_formula(patch_format, patches):
    slices, n_patches, positions = patches
    bits = sum(
        position_bits(patch_format, int(k), int(d), slices.n_out)
        for k, d in zip(slices.n_care, n_patches, strict=True)
    )
    stream = PATCH_FORMATS[patch_format].pack_positions(n_patches, positions, slices)
    assert len(stream) == bytes_of(bits)


def counts_size(counts, patch_format, patch_block):
    """Bytes of the counts stream by the formula of docs/method.md."""
    if patch_format == "paper":
        return 1 + bytes_of(len(counts) * int(np.ceil(np.log2(max(counts) + 1))))
    if patch_format == "care":
        return 1 + min(
            bytes_of(sum(1 + (c >> k) for c in counts)) + bytes_of(len(counts) * k) for k in range(31)
        )
    blocks = [counts[i : i + patch_block] for i in range(0, len(counts), patch_block)]
    widths = [int(np.ceil(np.log2(max(block) + 1))) for block in blocks]
    width = int(np.ceil(np.log2(max(widths) + 1)))
    return 1 + bytes_of(len(blocks) * width) + bytes_of(sum(map(lambda b, w: len(b) * w, blocks, widths)))


@given(
    st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2000)), min_size=1, max_size=150),
    st.sampled_from(["paper", "blocked", "care"]),
    st.integers(1, 200),
)
def test_counts_have_the_size_of_the_formula(counts, patch_format, patch_block):
    stream = counts_stream(counts, patch_format, patch_block)
    assert len(stream) == counts_size(counts, patch_format, patch_block)


def test_paper_counts_have_one_width():
    # 5 needs 3 bits; 5, 0, 1 from the first bit: 101 000 100.
    assert counts_stream([5, 0, 1], "paper") == [3, 0b01000101, 0]


def test_blocked_counts_have_a_width_for_each_block():
    # Blocks (1, 0), (0, 0), (3,): widths 1, 0, 2 in fields of 2 bits, then 1 0 / nothing / 11.
    assert counts_stream([1, 0, 0, 0, 3], "blocked") == [2, 0b100001, 0b1101]


def test_care_counts_are_unary_or_rice():
    # 1 0 2 0: 01 1 001 1, from the first bit.
    assert counts_stream([1, 0, 2, 0], "care") == [0, 0b1100110]
    # By 4: quotients 2 2 3 in 001 001 0001 and remainders 01 11 00, against 35 bits in unary; by 8: 4 + 9 bits.
    assert counts_stream([9, 11, 12], "care") == [2, 0b00100100, 0b10, 0b001101]


def test_no_patches_cost_the_header_alone_or_a_bit_a_slice():
    counts = [0] * 1000
    assert counts_stream(counts, "paper") == [0]
    assert counts_stream(counts, "blocked") == [0]
    assert counts_stream(counts, "care") == [0] + 125 * [255]
    # No care bits: certain, so that the state is the encoder's first.
    assert counts_stream(counts, "enumerative") == [0, 0, 0, 1, 0]


def test_care_positions_are_numbers_among_the_care_bits():
    care = np.zeros((2, 10), bool)
    care[0, [1, 4, 5, 6, 9]] = care[1, [7, 8]] = True
    slices, n_patches = CareSlices.of(care, 2, 16), np.array([2, 1], np.int32)
    positions = np.array([4, 9, 8], np.int32)
    # Numbers 1 and 4 of 5 in 3 bits, 1 of 2 in 1 bit: 100 001 1.
    assert PATCH_FORMATS["care"].pack_positions(n_patches, positions, slices).tolist() == [0b1100001]
    # C(1, 1) + C(4, 2) = 7 below C(5, 2) = 10 in 4 bits, C(1, 1) = 1 below 2 in 1 bit: 1110 1.
    assert PATCH_FORMATS["enumerative"].pack_positions(n_patches, positions, slices).tolist() == [0b10111]


def read_enumerative_counts(stream, n_care, n_in, n_out):
    """The counts stream read in Python's integers, from the modules' text."""
    rows = [count_row(MODELS[stream[0]], n_in, int(k)) for k in n_care]
    data, n = bytes(stream[1:]), 1 + len(n_care) // 4096
    states = [int.from_bytes(data[4 * i : 4 * i + 4], "little") for i in range(n)]
    at, counts = 4 * n, []
    for i, row in enumerate(rows):
        x = states[i % n]
        slot = x % 2**16
        symbol = next(s for s, end in enumerate(row.ends) if slot < end)
        begin = row.ends[symbol - 1] if symbol else 0
        x = (row.ends[symbol] - begin) * (x // 2**16) + slot - begin
        if x < 2**16:
            x = x * 2**16 + int.from_bytes(data[at : at + 2], "little")
            at += 2
        states[i % n] = x
        counts.append(None if symbol == len(row.ends) - 1 and row.ends else row.first + symbol)
    assert states == [2**16] * n
    escapes = unpack_fields(np.frombuffer(data[at:], np.uint8), n_out.bit_length(), counts.count(None))
    left = iter(escapes.tolist())
    return [next(left) if count is None else count for count in counts]


@pytest.mark.parametrize("n_slices", [1, 5000, 9000])
def test_enumerative_counts_are_read_by_their_text(n_slices):
    rng = np.random.default_rng(n_slices)
    n_care = rng.binomial(300, 0.1, n_slices)
    n_care[::97] = 300
    slices = care_slices(n_care, n_in=20, n_out=301)
    counts = rng.binomial(np.maximum(n_care - 20, 0), 0.4).astype(np.int32)
    counts[::50] = np.minimum(n_care, 15)[::50]
    stream = PATCH_FORMATS["enumerative"].pack_counts(counts, slices)
    assert read_enumerative_counts(stream.tolist(), n_care, 20, 301) == counts.tolist()
    np.testing.assert_array_equal(PATCH_FORMATS["enumerative"].unpack_counts(stream, slices), counts)


@pytest.mark.parametrize(("model", "chosen"), [("minimum", 0), ("greedy", 1)])
def test_enumerative_counts_come_near_their_entropy(model, chosen):
    """Counts drawn from a model's own rows: the better model is taken, and 16-bit frequencies cost little."""
    rng = np.random.default_rng(0)
    n_care = rng.binomial(260, 0.1, 4000)
    rows = [count_row(model, 20, int(k)) for k in n_care]
    slots = rng.integers(0, 2**16, len(rows))
    symbols = [
        int(np.searchsorted(row.ends, slot, side="right")) for row, slot in zip(rows, slots, strict=True)
    ]
    counts = np.array([row.first + symbol for row, symbol in zip(rows, symbols, strict=True)], np.int32)
    ideal = sum(16 - math.log2(row.interval(s)[1]) for row, s in zip(rows, symbols, strict=True))
    stream = counts_stream(counts, "enumerative", n_care=n_care, n_in=20)
    assert stream[0] == chosen
    assert ideal <= 8 * len(stream) < 1.002 * ideal + 80


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n_in", [1, 20, 64, 128])
def test_a_model_s_rows_are_distributions(model, n_in):
    for k in (0, 1, 2, 3, *range(4, 256, 9), 256, 257):
        ends = (0, *count_row(model, n_in, k).ends)
        assert ends[-1] == 2**16
        certain = k in (0, 257)
        assert all(a < b for a, b in itertools.pairwise(ends)) or certain


def test_the_models_frequencies_are_those_of_every_file():
    """Written files depend on each of these numbers."""
    rows = {key: np.diff(count_row(*key).ends, prepend=0).tolist() for key in PINNED}
    assert rows == PINNED


PINNED = {
    ("minimum", 20, 17): [61563, 3969, 2, 2],
    ("minimum", 20, 25): [2017, 34351, 29150, 15, 3],
    ("minimum", 20, 37): [19, 333, 3752, 24314, 35779, 1335, 4],
    ("minimum", 64, 77): [8, 613, 19496, 45408, 7, 4],
    ("greedy", 20, 21): [25536, 32454, 7227, 312, 3, 4],
    ("greedy", 64, 69): [2017, 10112, 20319, 20478, 10398, 2176, 33, 3],
}


def test_the_models_are_near_what_search_finds():
    """P(no patch) of 21 random equations in 20 unknowns: the sum over ranks of P(rank) 2^-(21 - rank)."""
    for model in MODELS:
        row = count_row(model, 20, 21)
        assert row.first == 0
        assert abs(row.interval(0)[1] / 2**16 - 0.3896) < 2e-4
        assert count_row(model, 20, 10).interval(0)[1] / 2**16 > 0.999


@given(st.lists(st.tuples(st.integers(0, 31), st.integers(0, 2**31 - 1)), max_size=30))
def test_fields_of_varied_widths(pairs):
    widths = np.array([width for width, _ in pairs], dtype=np.int64)
    values = np.array([value & ((1 << width) - 1) for width, value in pairs], dtype=np.int64)
    stream = pack_varied(values, widths)
    assert len(stream) == bytes_of(sum(widths))
    assert unpack_varied(stream, widths).tolist() == values.tolist()


@pytest.mark.parametrize(("n_out", "width"), [(2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (257, 9)])
def test_a_position_takes_the_ceiling_of_lg_n_out(n_out, width):
    assert position_width(n_out) == width
    assert number_widths(np.array([0, 1, n_out])).tolist() == [0, 0, width]


@pytest.mark.parametrize(
    ("stream", "patch_format", "message"),
    [
        ([], "paper", "0 bytes do not hold the width"),
        ([3, 0], "paper", "1 bytes do not hold 5 fields of 3 bits"),
        ([200, 0], "paper", "0 to 64 bits, not 200"),
        ([40] + [255] * 25, "paper", "more than any n_out"),
        ([2, 0b100001], "blocked", "0 bytes do not hold fields of 4 bits"),
        ([6, 0b11111111, 0b11111111, 0b11], "blocked", "63 bits wide, where 31 are possible"),
        ([], "care", "0 bytes do not hold the Rice parameter"),
        ([31, 255], "care", "parameter is 31, over 30"),
        ([0, 0b1111], "care", "hold the counts of 4 slices, not of 5"),
        ([0] + [0] * 10**6 + [255], "care", "hold the counts of 0 slices"),
        ([3, 0b11111], "care", "0 bytes do not hold 5 fields of 3 bits"),
        ([], "enumerative", "does not begin with the number of a model"),
        ([2, 0, 0, 1, 0], "enumerative", "does not begin with the number of a model"),
        ([0, 0, 0, 1], "enumerative", "3 bytes do not hold 1 states"),
        ([0, 255, 255, 0, 0], "enumerative", "end after symbol 0 of 5"),
        ([0, 9, 9, 9, 9], "enumerative", "do not end in the state"),
    ],
)
def test_unpack_counts_refuses(stream, patch_format, message):
    slices = care_slices([6] * 5)
    with pytest.raises(ValueError, match=message):
        PATCH_FORMATS[patch_format].unpack_counts(np.array(stream, dtype=np.uint8), slices)


@pytest.mark.parametrize(
    ("stream", "patch_format", "message"),
    [
        ([], "paper", "0 bytes do not hold 2 fields"),
        ([], "care", "0 bytes do not hold fields of 6 bits together"),
        ([], "enumerative", "0 bytes do not hold the patches"),
        ([0b110000], "care", "passes the care bits"),
        ([15], "enumerative", "index 15 passes the 10 sets of 2 among 5"),
    ],
)
def test_unpack_positions_refuses(stream, patch_format, message):
    slices = care_slices([5])
    with pytest.raises(ValueError, match=message):
        PATCH_FORMATS[patch_format].unpack_positions(
            np.array(stream, dtype=np.uint8), np.array([2], np.int32), slices
        )


def test_the_registry_is_closed():
    assert list(PATCH_FORMATS) == ["paper", "blocked", "care", "enumerative"]
    assert all(isinstance(codec, PatchFormat) and codec.id == id for id, codec in PATCH_FORMATS.items())
    with pytest.raises(ValueError, match="not 'cares'; the nearest is 'care'"):
        get_patch_format("cares")
