"""How patches are written: a count for each slice, then the position of each patch in its slice."""

import numpy as np
from jaxtyping import Int32, Integer, UInt8

from xorjax.gf2.pack import pack_fields, unpack_fields

PATCH_FORMATS = ("paper", "blocked")


def pack_counts(
    n_patches: Integer[np.ndarray, " n_slices"], patch_format: str, patch_block: int
) -> UInt8[np.ndarray, " bytes"]:
    """The counts stream. Byte 0 is a width w; fields of a section lie back to back, least significant bit
    first, and a section ends on a whole byte.

    "paper": w = ceil(lg(max count + 1)), then one section: a field of w bits for each slice.

    "blocked" (the paper's "blocked n_patch"): a block is `patch_block` slices, the last one shorter, and has
    a width of its own, ceil(lg(its max count + 1)). The first section holds the blocks' widths in fields of w
    bits, w = ceil(lg(max width + 1)); the second the counts, each in its block's width.
    """
    if patch_format == "paper":
        width = int(n_patches.max()).bit_length()
        return np.concatenate([_header(width), pack_fields(n_patches, width)])
    maxima = np.maximum.reduceat(n_patches, np.arange(0, len(n_patches), patch_block))
    widths = np.array([int(maximum).bit_length() for maximum in maxima], dtype=np.uint8)
    width = int(widths.max()).bit_length()
    of_count = np.repeat(widths, min(patch_block, len(n_patches)))[: len(n_patches)]
    used = np.arange(int(widths.max())) < of_count[:, None]
    bits = (n_patches[:, None] >> np.arange(int(widths.max()))) & 1
    counts = np.packbits(bits[used].astype(bool), bitorder="little")
    return np.concatenate([_header(width), pack_fields(widths, width), counts])


def unpack_counts(
    stream: UInt8[np.ndarray, " bytes"], n_slices: int, patch_format: str, patch_block: int
) -> Int32[np.ndarray, " n_slices"]:
    """The counts that `pack_counts` wrote.

    Raises:
        ValueError: the stream is too short, or a width is out of range.
    """
    if len(stream) == 0:
        raise ValueError("0 bytes do not hold the width of the counts")
    width = int(stream[0])
    if patch_format == "paper":
        return _counts(unpack_fields(stream[1:], width, n_slices))
    n_blocks = -(-n_slices // patch_block)
    widths = unpack_fields(stream[1:], width, n_blocks)
    if widths.max() > 31:
        raise ValueError(f"a block's counts are {widths.max()} bits wide, where 31 are possible")
    bits = np.unpackbits(stream[1 + -(-n_blocks * width // 8) :], bitorder="little")
    of_count = np.repeat(widths.astype(np.int64), min(patch_block, n_slices))[:n_slices]
    if of_count.sum() > len(bits):
        raise ValueError(f"{len(bits)} bits do not hold counts of {of_count.sum()} bits")
    used = np.arange(int(widths.max())) < of_count[:, None]
    table = np.zeros(used.shape, dtype=np.int64)
    table[used] = bits[: of_count.sum()]
    return _counts((table << np.arange(used.shape[1])).sum(axis=1))


def position_width(n_out: int) -> int:
    """Bits of a position within a slice: ceil(lg n_out)."""
    return (n_out - 1).bit_length()


def pack_positions(positions: Integer[np.ndarray, " k"], n_out: int) -> UInt8[np.ndarray, " bytes"]:
    """The positions stream: a field of ceil(lg n_out) bits for each patch, slices in order."""
    return pack_fields(positions, position_width(n_out))


def unpack_positions(stream: UInt8[np.ndarray, " bytes"], n_out: int, k: int) -> Int32[np.ndarray, " k"]:
    """The positions that `pack_positions` wrote.

    Raises:
        ValueError: the stream is too short.
    """
    return unpack_fields(stream, position_width(n_out), k).astype(np.int32)


def _header(width: int) -> UInt8[np.ndarray, " 1"]:
    return np.array([width], dtype=np.uint8)


def _counts(values: Integer[np.ndarray, " n_slices"]) -> Int32[np.ndarray, " n_slices"]:
    if int(values.max()) >> 31:
        raise ValueError(f"a slice has {values.max()} patches, more than any n_out")
    return values.astype(np.int32)
