"""What a patch format is: the patches of a plane's slices as two streams of bytes, and back."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8

from xorjax.codec.patches.expected import ExpectedSlices
from xorjax.masks.base import bits_to_bytes

Bytes = UInt8[np.ndarray, " bytes"]
Counts = Int32[np.ndarray, " n_slices"]
Positions = Int32[np.ndarray, " n_patches"]


@dataclass(frozen=True, eq=False)
class CareSlices:
    """What is known of a plane's slices before a stream is read: settings, and where the care bits lie.

    A patch is a care bit, so that a format may give its place in two ways: its position among the n_out bits of
    the slice, or its number among the slice's care bits.

    Attributes:
        patch_block: slices in a block of counts ("blocked").
        n_care: care bits of each slice.
        index: of every care bit, slice n_out + position; ascending.
    """

    n_in: int
    n_out: int
    patch_block: int
    n_care: Int32[np.ndarray, " n_slices"]
    index: Int64[np.ndarray, " n_care"]

    @classmethod
    def of(cls, care: Bool[np.ndarray, "n_slices n_out"], n_in: int, patch_block: int) -> "CareSlices":
        n_care = np.count_nonzero(care, axis=1).astype(np.int32)
        return cls(n_in, care.shape[1], patch_block, n_care, np.flatnonzero(care).astype(np.int64))

    @property
    def n_slices(self) -> int:
        return len(self.n_care)

    @cached_property
    def begins(self) -> Int64[np.ndarray, " n_slices"]:
        """Care bits before each slice."""
        return np.cumsum(self.n_care, dtype=np.int64) - self.n_care

    def numbers(self, n_patches: Counts, positions: Positions) -> Positions:
        """Each patch's number among the care bits of its slice.

        Raises:
            ValueError: a patch lies outside its slice or on a don't-care.
        """
        slices = self.slices_of(n_patches)
        if (positions >= self.n_out).any():
            raise ValueError(f"a position lies outside its slice of {self.n_out} bits")
        wanted = slices * self.n_out + positions
        found = np.searchsorted(self.index, wanted)
        if (found == len(self.index)).any() or (self.index[found] != wanted).any():
            raise ValueError("a position is not that of a care bit")
        return (found - self.begins[slices]).astype(np.int32)

    def positions(self, n_patches: Counts, numbers: Positions) -> Positions:
        """Each patch's position in its slice.

        Raises:
            ValueError: a number passes the care bits of its slice.
        """
        slices = self.slices_of(n_patches)
        if (numbers >= self.n_care[slices]).any():
            raise ValueError("a patch's number passes the care bits of its slice")
        return (self.index[self.begins[slices] + numbers] - slices * self.n_out).astype(np.int32)

    def slices_of(self, n_patches: Counts) -> Int64[np.ndarray, " n_patches"]:
        """The slice that each patch belongs to."""
        return np.repeat(np.arange(self.n_slices), n_patches)


@runtime_checkable
class PatchFormat(Protocol):
    """One way of writing patches: each slice's number of them, and their places, ascending within a slice.

    Streams are fields and codes least significant bit first; a section ends on a whole byte. A stream has one
    form: what `unpack_*` accepts need not be what `pack_*` writes, and `codec.plane.read` compares them.
    """

    @property
    def id(self) -> str: ...

    @property
    def needs_care(self) -> bool:
        """Whether patches are read only by who knows the care bits."""
        ...

    def pack_counts(self, n_patches: Counts, slices: CareSlices) -> Bytes: ...

    def unpack_counts(self, stream: Bytes, slices: CareSlices) -> Counts:
        """Memory is bounded by the stream and the slices, whatever the stream claims.

        Raises:
            ValueError: the stream is too short, or cannot be read.
        """
        ...

    def pack_positions(self, n_patches: Counts, positions: Positions, slices: CareSlices) -> Bytes: ...

    def unpack_positions(self, stream: Bytes, n_patches: Counts, slices: CareSlices) -> Positions:
        """Takes counts of at most the slice's care bits.

        Raises:
            ValueError: the stream is too short, or cannot be read.
        """
        ...

    def expected_bits(self, slices: ExpectedSlices) -> float:
        """Bits of counts and positions, all slices together."""
        ...


def section_bytes(bits: int) -> int:
    """The whole bytes that a section of `bits` bits takes."""
    return -(-bits // 8)


def header(*values: int) -> Bytes:
    return np.array(values, dtype=np.uint8)


def pack_varied(values: np.ndarray, widths: np.ndarray) -> Bytes:
    """Writes value i as a field of widths[i] bits (0 to 31), fields back to back, padded to a whole byte."""
    begins = np.cumsum(widths, dtype=np.int64) - widths
    bits = np.zeros(int(widths.sum(dtype=np.int64)), dtype=bool)
    for place in range(int(widths.max(initial=0))):
        used = widths > place
        bits[begins[used] + place] = values[used] >> place & 1
    return bits_to_bytes(bits)


def unpack_varied(stream: Bytes, widths: np.ndarray) -> np.ndarray:
    """The fields that `pack_varied` wrote, int64.

    Raises:
        ValueError: the stream is too short.
    """
    total = int(widths.sum(dtype=np.int64))
    if total > 8 * len(stream):
        raise ValueError(f"{len(stream)} bytes do not hold fields of {total} bits together")
    begins = np.cumsum(widths, dtype=np.int64) - widths
    bits = np.unpackbits(stream, count=total, bitorder="little")
    values = np.zeros(len(widths), dtype=np.int64)
    for place in range(int(widths.max(initial=0))):
        used = widths > place
        values[used] |= bits[begins[used] + place].astype(np.int64) << place
    return values


def to_counts(values: np.ndarray) -> Counts:
    """Counts as read, of any integer type.

    Raises:
        ValueError: one is larger than any slice.
    """
    if int(values.max()) >> 31:
        raise ValueError(f"a slice has {values.max()} patches, more than any n_out")
    return values.astype(np.int32)
