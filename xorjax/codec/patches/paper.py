"""The paper's patches: a count for each slice, of one width or of a width a block; positions of ceil(lg n_out) bits."""

import numpy as np

from xorjax.codec.patches.base import (
    Bytes,
    CareSlices,
    Counts,
    Positions,
    header,
    pack_varied,
    section_bytes,
    to_counts,
    unpack_varied,
)
from xorjax.codec.patches.expected import ExpectedSlices, expected_width
from xorjax.gf2.pack import pack_fields, unpack_fields


class Paper:
    """Byte 0 of the counts is their width w = ceil(lg(largest count + 1)); then a field of w bits for each slice.
    Positions are fields of ceil(lg n_out) bits, slices in order.

    Gives up least: a slice's count is read at random, and only its positions wait for a sum of counts. It pays for
    that with counts as wide as the worst slice's, and with positions that could also name don't-cares.
    """

    id = "paper"
    needs_care = False

    def pack_counts(self, n_patches: Counts, slices: CareSlices) -> Bytes:
        width = int(n_patches.max()).bit_length()
        return np.concatenate([header(width), pack_fields(n_patches, width)])

    def unpack_counts(self, stream: Bytes, slices: CareSlices) -> Counts:
        if len(stream) == 0:
            raise ValueError("0 bytes do not hold the width of the counts")
        return to_counts(unpack_fields(stream[1:], int(stream[0]), slices.n_slices))

    def pack_positions(self, n_patches: Counts, positions: Positions, slices: CareSlices) -> Bytes:
        return pack_fields(positions, position_width(slices.n_out))

    def unpack_positions(self, stream: Bytes, n_patches: Counts, slices: CareSlices) -> Positions:
        total = int(n_patches.sum(dtype=np.int64))
        return unpack_fields(stream, position_width(slices.n_out), total).astype(np.int32)

    def expected_bits(self, slices: ExpectedSlices) -> float:
        return self._expected_counts(slices) + slices.n_patches * position_width(slices.n_out)

    def _expected_counts(self, slices: ExpectedSlices) -> float:
        return 8 + slices.total * float(expected_width(slices.n_slices @ slices.log_at_most()))


class Blocked(Paper):
    """The paper's "blocked n_patch". A block is `patch_block` slices, the last one shorter, with a width of its own,
    ceil(lg(its max count + 1)). Byte 0 of the counts is w = ceil(lg(max width + 1)); the first section holds the
    blocks' widths in fields of w bits, the second the counts, each in its block's width. Positions are `paper`'s.

    Gives up: the place of a count waits for the sum of the widths of the blocks before it.
    """

    id = "blocked"

    def pack_counts(self, n_patches: Counts, slices: CareSlices) -> Bytes:
        maxima = np.maximum.reduceat(n_patches, np.arange(0, len(n_patches), slices.patch_block))
        widths = np.array([int(maximum).bit_length() for maximum in maxima], dtype=np.uint8)
        width = int(widths.max()).bit_length()
        counts = pack_varied(n_patches, _of_count(widths, slices))
        return np.concatenate([header(width), pack_fields(widths, width), counts])

    def unpack_counts(self, stream: Bytes, slices: CareSlices) -> Counts:
        if len(stream) == 0:
            raise ValueError("0 bytes do not hold the width of the counts")
        width = int(stream[0])
        n_blocks = -(-slices.n_slices // slices.patch_block)
        widths = unpack_fields(stream[1:], width, n_blocks)
        if widths.max() > 31:
            raise ValueError(f"a block's counts are {widths.max()} bits wide, where 31 are possible")
        counts = stream[1 + section_bytes(n_blocks * width) :]
        return to_counts(unpack_varied(counts, _of_count(widths.astype(np.int64), slices)))

    def _expected_counts(self, slices: ExpectedSlices) -> float:
        log_at_most, patch_block = slices.log_at_most(), slices.patch_block
        if slices.order is None:
            at_most = (slices.n_slices / slices.total) @ np.exp(log_at_most)
            log_blocks = patch_block * np.log(np.maximum(at_most, 1e-300))
            counts, n_blocks = slices.total * float(expected_width(log_blocks)), slices.total / patch_block
            log_largest = n_blocks * log_blocks
        else:
            begins = np.arange(0, len(slices.order), patch_block)
            log_blocks = np.add.reduceat(log_at_most[slices.order], begins, axis=0)
            sizes = np.diff(begins, append=len(slices.order))
            counts, n_blocks = float(sizes @ expected_width(log_blocks)), len(begins)
            log_largest = log_blocks.sum(axis=0)
        # The widths' own width, from the chances of the largest width.
        chances = np.diff(np.exp(log_largest), prepend=0.0)
        of_width = [w.bit_length() for w in range(len(chances))]
        return 8 + n_blocks * float(chances @ of_width) + counts


def _of_count(widths: np.ndarray, slices: CareSlices) -> np.ndarray:
    return np.repeat(widths, min(slices.patch_block, slices.n_slices))[: slices.n_slices]


def position_width(n_out: int) -> int:
    """Bits of a position within a slice: ceil(lg n_out)."""
    return (n_out - 1).bit_length()
