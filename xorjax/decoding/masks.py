"""Jitted decoding of masks: from their own streams where blocks or tiles decode each on its own, else as bitmaps.

Serial codecs are decoded when a file is loaded and held as one bit a weight: an entropy coder would be a loop of one
step a weight, and relative indices and run lengths a prefix sum over the layer in every forward pass, to rebuild what a
bitmap holds. Whatever the codec, the mask is that of `EncodedMask.mask`, bit for bit.
"""

from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt32

from xorjax.decoding.words import one_width, read_fields, stack, unpack_words
from xorjax.gf2.pack import pack_bits
from xorjax.gf2.tables import even_chunk_bits, xor_tables
from xorjax.masks import codebook, xor
from xorjax.masks.base import EncodedMask, matrix_shape
from xorjax.masks.blocks import BlockCode, BlockMask, read_block_mask
from xorjax.masks.lowrank import Tiling, read_factors


class BlockWords(NamedTuple):
    """A mask drawn in blocks: `codebook` and `xor`.

    Attributes:
        codes: the code stream and a zero word after its end.
        thresholds: `codebook`: the threshold less one of each place; `xor`: its bits packed, a row for each bit.
        tables: `xor`: the packed outputs of each chunk of a window, for each plane; `codebook`: None.
    """

    codes: UInt32[Array, " code_words"]
    row_slots: Int32[Array, " rows"]
    column_slots: Int32[Array, " columns"]
    thresholds: UInt32[Array, "..."]
    tables: UInt32[Array, "chunks entries planes words"] | None


class FactorWords(NamedTuple):
    """A low-rank mask's factors, packed along rows and along columns; tiles padded to one size."""

    rows: UInt32[Array, "tiles rank row_words"]
    columns: UInt32[Array, "tiles rank column_words"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class PackedMask:
    """The words of a mask, and what they mean: static.

    Attributes:
        words: `BlockWords`, `FactorWords`, or a bitmap's bits in row-major order.
        codec: how the words decode: "bitmap", "codebook", "xor" or "lowrank".
        format: a `BlockCode`, a `Tiling`, or None for a bitmap.
    """

    words: Any
    codec: str = field(metadata={"static": True})
    shape: tuple[int, ...] = field(metadata={"static": True})
    format: Any = field(metadata={"static": True})

    def __repr__(self) -> str:
        held = "" if self.format is None else f", {self.format}"
        return f"PackedMask({self.shape}, {self.codec}{held})"


def pack_mask(encoded: EncodedMask) -> PackedMask:
    """The words of `encoded` for `decode_mask`.

    Raises:
        ValueError: a stream is missing or malformed; it is named.
    """
    codec, streams, shape = encoded.codec, encoded.streams, encoded.shape
    match codec:
        case "codebook":
            mask = read_block_mask(streams, shape, codebook.MAX_N_IN)
            words, format = _block_words(mask, mask.thresholds, None), mask.code
        case "xor":
            mask = read_block_mask(streams, shape, xor.MAX_N_IN)
            planes = mask.thresholds >> np.arange(mask.code.threshold_bits)[::-1, None] & 1
            tables = jnp.asarray(_build_tables(mask.code))
            words, format = _block_words(mask, pack_bits(planes.astype(bool)), tables), mask.code
        case "lowrank":
            format, factors = read_factors(streams, shape)
            # The first tile is a whole one, and the others are padded to its size.
            rows = stack([pack_bits(each.rows.T) for each in factors])
            words = FactorWords(rows, stack([pack_bits(each.columns) for each in factors]))
        case _:
            codec, words, format = "bitmap", jnp.asarray(pack_bits(encoded.mask.ravel())), None
    return PackedMask(words, codec, shape, format)


@jax.jit
def decode_mask(packed: PackedMask) -> Bool[Array, "*shape"]:
    """The mask of the words of `pack_mask`."""
    words, format, shape = packed.words, packed.format, packed.shape
    match packed.codec:
        case "codebook":
            mask = _place(_draw_from_codebook(words, format, shape), words, format, shape)
        case "xor":
            mask = _place(_draw_from_network(words, format, shape), words, format, shape)
        case "lowrank":
            mask = _decode_factors(words, format, shape)
        case _:
            mask = unpack_words(words, prod(shape))
    return mask.reshape(shape)


def _block_words(mask: BlockMask, thresholds, tables) -> BlockWords:
    return BlockWords(
        jnp.asarray(np.append(pack_bits(mask.bits), np.uint32(0))),
        jnp.asarray(mask.row_slots),
        jnp.asarray(mask.column_slots),
        jnp.asarray(thresholds, dtype=jnp.uint32),
        tables,
    )


def _build_tables(code: BlockCode) -> UInt32[np.ndarray, "chunks entries planes words"]:
    """Entry e of table c holds the planes of the XOR of the columns that e selects among those of chunk c."""
    planes = xor.network(code).matrix.reshape(code.threshold_bits, code.n_places, code.n_in)
    return xor_tables(pack_bits(planes.transpose(2, 0, 1)), even_chunk_bits(code.n_in))


def _windows(
    codes: UInt32[Array, " words"], code: BlockCode, n_blocks: int, begin: int, width: int
) -> UInt32[Array, " {n_blocks}"]:
    """Bits `begin` to `begin + width` of each block's window."""
    offsets = jnp.arange(n_blocks, dtype=jnp.uint32) * code.step + begin
    return read_fields(codes, offsets, one_width(width))


def _draw_from_codebook(
    words: BlockWords, code: BlockCode, shape: tuple[int, ...]
) -> Bool[Array, "blocks {code.n_places}"]:
    places = jnp.arange(code.n_places, dtype=jnp.uint32) << codebook.PLACE_SHIFT
    places += jnp.uint32(code.seed * codebook.SEED_FACTOR & 0xFFFFFFFF)
    hashed = _windows(words.codes, code, code.n_blocks(shape), 0, code.n_in)[:, None] + places[None]
    for shift, factor in codebook.MIX:
        hashed = (hashed ^ hashed >> shift) * jnp.uint32(factor)
    hashed ^= hashed >> codebook.LAST_SHIFT
    numbers = hashed >> (32 - code.threshold_bits)
    return numbers + words.thresholds[None] >= (1 << code.threshold_bits) - 1


def _draw_from_network(
    words: BlockWords, code: BlockCode, shape: tuple[int, ...]
) -> Bool[Array, "blocks {code.n_places}"]:
    assert words.tables is not None
    n_blocks = code.n_blocks(shape)
    width = even_chunk_bits(code.n_in)
    planes = jnp.zeros((n_blocks, *words.tables.shape[2:]), dtype=jnp.uint32)
    for c in range(len(words.tables)):
        chunk = min(width, code.n_in - c * width)
        planes ^= words.tables[c][_windows(words.codes, code, n_blocks, c * width, chunk)]
    # The carry out of number + threshold, the threshold stored less one, from the least significant plane on.
    carry = jnp.full_like(planes[:, 0], 0xFFFFFFFF)
    for p in reversed(range(code.threshold_bits)):
        number, threshold = planes[:, p], words.thresholds[p][None]
        carry = (number & threshold) | (carry & (number | threshold))
    return unpack_words(carry, code.n_places)


def _place(
    kept: Bool[Array, "blocks places"], words: BlockWords, code: BlockCode, shape: tuple[int, ...]
) -> Bool[Array, "..."]:
    height, width = code.group_sizes(shape)
    ordered = kept.reshape(height, width, code.row_groups, code.column_groups).transpose(2, 0, 3, 1)
    ordered = ordered.reshape(code.row_groups * height, code.column_groups * width)
    return ordered[words.row_slots][:, words.column_slots]


def _decode_factors(words: FactorWords, tiling: Tiling, shape: tuple[int, ...]) -> Bool[Array, "..."]:
    rows, columns = matrix_shape(shape)
    height, width = tiling.tile_rows, tiling.tile_columns
    n_down, n_across = -(-rows // height), -(-columns // width)

    def add(kept: UInt32[Array, "tiles m words"], factor) -> tuple[UInt32[Array, "tiles m words"], None]:
        row_words, column_words = factor
        taken = unpack_words(row_words, height)[:, :, None]
        return kept | jnp.where(taken, column_words[:, None], jnp.uint32(0)), None

    empty = jnp.zeros((n_down * n_across, height, words.columns.shape[2]), dtype=jnp.uint32)
    kept, _ = jax.lax.scan(add, empty, (words.rows.swapaxes(0, 1), words.columns.swapaxes(0, 1)))
    tiles = unpack_words(kept, width).reshape(n_down, n_across, height, width)
    return tiles.swapaxes(1, 2).reshape(n_down * height, n_across * width)[:rows, :columns]
