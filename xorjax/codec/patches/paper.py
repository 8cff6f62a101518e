"""The paper's patches: a count of one width for each slice, positions of ceil(lg n_out) bits."""

import numpy as np

from xorjax.codec.patches.base import Bytes, CareSlices, Counts, Positions, header, to_counts
from xorjax.gf2.pack import pack_fields, unpack_fields


class Paper:
    """Byte 0 of the counts is their width w = ceil(lg(largest count + 1)); then a field of w bits for each slice.
    Positions are fields of ceil(lg n_out) bits, slices in order.

    Gives up least: a slice's count is read at random, and only its positions wait for a sum of counts. It pays for
    that with counts as wide as the worst slice's, and with positions that could also name don't-cares.
    """

    id = "paper"

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


def position_width(n_out: int) -> int:
    """Bits of a position within a slice: ceil(lg n_out)."""
    return (n_out - 1).bit_length()
