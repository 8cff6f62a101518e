import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.codec.patches import (
    pack_counts,
    pack_positions,
    position_width,
    unpack_counts,
    unpack_positions,
)


def bytes_of(bits):
    return -(-bits // 8)


def counts_size(counts, patch_format, patch_block):
    """Bytes of the counts stream by the formula of docs/method.md."""
    if patch_format == "paper":
        return 1 + bytes_of(len(counts) * int(np.ceil(np.log2(max(counts) + 1))))
    blocks = [counts[i : i + patch_block] for i in range(0, len(counts), patch_block)]
    widths = [int(np.ceil(np.log2(max(block) + 1))) for block in blocks]
    width = int(np.ceil(np.log2(max(widths) + 1)))
    return 1 + bytes_of(len(blocks) * width) + bytes_of(sum(map(lambda b, w: len(b) * w, blocks, widths)))


def test_paper_counts_have_one_width():
    # 5 needs 3 bits; 5, 0, 1 from the first bit: 101 000 100.
    assert pack_counts(np.array([5, 0, 1]), "paper", 64).tolist() == [3, 0b01000101, 0]


def test_blocked_counts_have_a_width_for_each_block():
    # Blocks (1, 0), (0, 0), (3,): widths 1, 0, 2 in fields of 2 bits, then 1 0 / nothing / 11.
    stream = pack_counts(np.array([1, 0, 0, 0, 3]), "blocked", 2)
    assert stream.tolist() == [2, 0b100001, 0b1101]


def test_no_patches_cost_the_header_alone():
    counts = np.zeros(1000, dtype=np.int32)
    assert pack_counts(counts, "paper", 64).tolist() == [0]
    assert pack_counts(counts, "blocked", 64).tolist() == [0]


@given(
    st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2000)), min_size=1, max_size=150),
    st.sampled_from(["paper", "blocked"]),
    st.integers(1, 200),
)
def test_counts_round_trip_in_the_size_of_the_formula(counts, patch_format, patch_block):
    stream = pack_counts(np.array(counts), patch_format, patch_block)
    assert stream.dtype == np.uint8
    assert len(stream) == counts_size(counts, patch_format, patch_block)
    assert unpack_counts(stream, len(counts), patch_format, patch_block).tolist() == counts


@pytest.mark.parametrize(("n_out", "width"), [(2, 1), (3, 2), (4, 2), (5, 3), (256, 8), (257, 9)])
def test_a_position_takes_the_ceiling_of_lg_n_out(n_out, width):
    assert position_width(n_out) == width
    positions = np.arange(n_out)
    stream = pack_positions(positions, n_out)
    assert len(stream) == bytes_of(n_out * width)
    assert unpack_positions(stream, n_out, n_out).tolist() == positions.tolist()


@pytest.mark.parametrize(
    ("stream", "patch_format", "message"),
    [
        ([], "paper", "0 bytes do not hold the width"),
        ([3, 0], "paper", "1 bytes do not hold 5 fields of 3 bits"),
        ([200, 0], "paper", "0 to 64 bits, not 200"),
        ([40] + [255] * 25, "paper", "more than any n_out"),
        ([2, 0b100001], "blocked", "0 bits do not hold counts of 4 bits"),
        ([6, 0b11111111, 0b11111111, 0b11], "blocked", "63 bits wide, where 31 are possible"),
    ],
)
def test_unpack_counts_refuses(stream, patch_format, message):
    with pytest.raises(ValueError, match=message):
        unpack_counts(np.array(stream, dtype=np.uint8), 5, patch_format, 2)
