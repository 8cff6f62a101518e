"""Patches by their number among the care bits, which the mask tells; counts in Rice code."""

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
from xorjax.codec.patches.expected import ExpectedSlices
from xorjax.gf2.pack import pack_fields, unpack_fields
from xorjax.masks.base import bits_to_bytes

MAX_PARAMETER = 30


class Care:
    """A slice with K care bits writes each patch's number among them, 0 to K - 1, in ceil(lg K) bits.

    Byte 0 of the counts is the Rice parameter k, the smallest of those that give the fewest bytes. A first
    section holds count >> k for each slice in unary, so many zeros and then a one; a second the low k bits of each
    count in fields of k bits. With k = 0 the counts are unary alone.

    Gives up: a fixed rate of counts and positions, and random access: a count is found by counting the ones before
    it, and a position's place and meaning need the mask. All slices still decode in parallel, by prefix sums.
    """

    id = "care"
    needs_care = True

    def pack_counts(self, n_patches: Counts, slices: CareSlices) -> Bytes:
        n, parameters = len(n_patches), range(MAX_PARAMETER + 1)
        sizes = [
            section_bytes(n + int((n_patches >> k).sum(dtype=np.int64))) + section_bytes(n * k)
            for k in parameters
        ]
        k = int(np.argmin(sizes))
        ends = np.cumsum((n_patches >> k) + 1, dtype=np.int64)
        unary = np.zeros(ends[-1], dtype=bool)
        unary[ends - 1] = True
        low = pack_fields(n_patches & ((1 << k) - 1), k)
        return np.concatenate([header(k), bits_to_bytes(unary), low])

    def unpack_counts(self, stream: Bytes, slices: CareSlices) -> Counts:
        if len(stream) == 0:
            raise ValueError("0 bytes do not hold the Rice parameter of the counts")
        k, n = int(stream[0]), slices.n_slices
        if k > MAX_PARAMETER:
            raise ValueError(f"the Rice parameter is {k}, over {MAX_PARAMETER}")
        longest = section_bytes(n + len(slices.index))  # unary parts are not above the care bits
        unary = np.unpackbits(stream[1 : 1 + longest], bitorder="little")
        ends = np.flatnonzero(unary)[:n]
        if len(ends) < n:
            raise ValueError(f"{len(stream)} bytes hold the counts of {len(ends)} slices, not of {n}")
        high = np.diff(ends, prepend=-1) - 1
        low = unpack_fields(stream[1 + section_bytes(int(ends[-1]) + 1) :], k, n).astype(np.int64)
        return to_counts((high << k) + low)

    def pack_positions(self, n_patches: Counts, positions: Positions, slices: CareSlices) -> Bytes:
        widths = number_widths(slices.n_care)[slices.slices_of(n_patches)]
        return pack_varied(slices.numbers(n_patches, positions), widths)

    def unpack_positions(self, stream: Bytes, n_patches: Counts, slices: CareSlices) -> Positions:
        widths = number_widths(slices.n_care)[slices.slices_of(n_patches)]
        return slices.positions(n_patches, unpack_varied(stream, widths).astype(np.int32))

    def expected_bits(self, slices: ExpectedSlices) -> float:
        counts = np.arange(slices.chances.shape[1])
        by_count = slices.n_slices @ slices.chances
        parameters = range(len(counts).bit_length() + 1)
        rice = 8 + min(slices.total * (k + 1) + float(by_count @ (counts >> k)) for k in parameters)
        return rice + float(slices.n_slices @ (slices.expected * number_widths(slices.n_care)))


def number_widths(n_care: np.ndarray) -> np.ndarray:
    """Bits of a number below each of `n_care`: ceil(lg n_care), and 0 for none."""
    powers = 1 << np.arange(31, dtype=np.int64)
    return np.searchsorted(powers, n_care).astype(np.int32)
