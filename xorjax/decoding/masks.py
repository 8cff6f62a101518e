"""Jitted decoding of masks: from their own streams where blocks or tiles decode each on its own, else as bitmaps.

Serial codecs are decoded when a file is loaded and held as one bit a weight: an entropy coder would be a loop of one
step a weight, and relative indices and run lengths a prefix sum over the layer in every forward pass, to rebuild what a
bitmap holds. Whatever the codec, the mask is that of `EncodedMask.mask`, bit for bit.
"""

from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt32

from xorjax.decoding.words import one_width, pack_rows, read_fields, unpack_words
from xorjax.gf2.pack import pack_bits
from xorjax.gf2.tables import even_chunk_bits, xor_tables
from xorjax.masks import codebook, xor
from xorjax.masks.base import EncodedMask, matrix_shape
from xorjax.masks.blocks import BlockCode, BlockMask, read_block_mask
from xorjax.masks.lowrank import read_factors


class BitmapWords(NamedTuple):
    """The mask's bits in row-major order."""

    bits: UInt32[Array, " words"]


class BlockWords(NamedTuple):
    """A mask drawn in blocks: `codebook` and `xor`.

    Attributes:
        codes: the code stream and a zero word after its end.
        thresholds: `codebook`: the threshold less one of each place; `xor`: its bits packed, a row for each bit.
        tables: `xor`: the packed outputs of each chunk of a window, for each plane; `codebook`: empty.
    """

    codes: UInt32[Array, " code_words"]
    row_slots: Int32[Array, " rows"]
    column_slots: Int32[Array, " columns"]
    thresholds: UInt32[Array, "..."]
    tables: UInt32[Array, "chunks entries planes words"]


class FactorWords(NamedTuple):
    """A low-rank mask's factors, packed along rows and along columns; tiles padded to one size."""

    rows: UInt32[Array, "tiles rank row_words"]
    columns: UInt32[Array, "tiles rank column_words"]


_NO_CODE = BlockCode(0, 0, 0, 0, 0, 0)
MaskWords = BitmapWords | BlockWords | FactorWords


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class PackedMask:
    """The words of a mask, and what they mean: static.

    Attributes:
        codec: how the words decode: "bitmap", "codebook", "xor" or "lowrank".
        code: the settings of a mask drawn in blocks.
        tile: rows and columns of a low-rank mask's tiles.
    """

    words: MaskWords
    codec: str = field(metadata={"static": True})
    shape: tuple[int, ...] = field(metadata={"static": True})
    code: BlockCode = field(default=_NO_CODE, metadata={"static": True})
    tile: tuple[int, int] = field(default=(0, 0), metadata={"static": True})


def pack_mask(encoded: EncodedMask) -> PackedMask:
    """The words of `encoded` for `decode_mask`.

    Raises:
        ValueError: a stream is missing or malformed; it is named.
    """
    shape = encoded.shape
    if encoded.codec == "lowrank":
        tiling, factors = read_factors(encoded.streams, shape)
        tile = tiling.tile_rows, tiling.tile_columns
        words = FactorWords(
            jnp.stack([pack_rows(each.rows.T, tile[0]) for each in factors]),
            jnp.stack([pack_rows(each.columns, tile[1]) for each in factors]),
        )
        return PackedMask(words, "lowrank", shape, tile=tile)
    if encoded.codec == "codebook":
        mask = read_block_mask(encoded.streams, shape, codebook.MAX_N_IN)
        tables = np.zeros((0, 1, 1, 1), dtype=np.uint32)
        return PackedMask(_block_words(mask, mask.thresholds, tables), "codebook", shape, mask.code)
    if encoded.codec == "xor":
        mask = read_block_mask(encoded.streams, shape, xor.MAX_N_IN)
        planes = mask.thresholds >> np.arange(mask.code.threshold_bits)[::-1, None] & 1
        thresholds = pack_rows(planes.astype(bool), mask.code.n_places)
        words = _block_words(mask, thresholds, _build_tables(mask.code))
        return PackedMask(words, "xor", shape, mask.code)
    return PackedMask(BitmapWords(jnp.asarray(pack_bits(encoded.mask.ravel()))), "bitmap", shape)


def _block_words(mask: BlockMask, thresholds, tables) -> BlockWords:
    return BlockWords(
        jnp.asarray(np.append(pack_bits(mask.bits.astype(bool)), np.uint32(0))),
        jnp.asarray(mask.row_slots),
        jnp.asarray(mask.column_slots),
        jnp.asarray(thresholds, dtype=jnp.uint32),
        jnp.asarray(tables),
    )


def _build_tables(code: BlockCode) -> UInt32[np.ndarray, "chunks entries planes words"]:
    """Entry e of table c holds the planes of the XOR of the columns that e selects among those of chunk c."""
    matrix = xor.network(code).matrix.astype(bool)
    planes = matrix.reshape(code.threshold_bits, code.n_places, code.n_in)
    columns = np.stack([pack_rows(planes[:, :, j], code.n_places) for j in range(code.n_in)])
    return xor_tables(columns, even_chunk_bits(code.n_in))


@jax.jit
def decode_mask(packed: PackedMask) -> Bool[Array, "*shape"]:
    """The mask of the words of `pack_mask`."""
    words = packed.words
    if isinstance(words, FactorWords):
        mask = _decode_factors(words, packed)
    elif isinstance(words, BlockWords):
        draw = _draw_from_codebook if packed.codec == "codebook" else _draw_from_network
        mask = _place(draw(words, packed.code, packed.code.n_blocks(packed.shape)), words, packed)
    else:
        mask = unpack_words(words.bits, prod(packed.shape))
    return mask.reshape(packed.shape)


def _windows(
    codes: UInt32[Array, " words"], code: BlockCode, n_blocks: int, begin: int, width: int
) -> UInt32[Array, " {n_blocks}"]:
    """Bits `begin` to `begin + width` of each block's window."""
    offsets = jnp.arange(n_blocks, dtype=jnp.uint32) * code.step + begin
    return read_fields(codes, offsets, one_width(width))


def _draw_from_codebook(
    words: BlockWords, code: BlockCode, n_blocks: int
) -> Bool[Array, "{n_blocks} {code.n_places}"]:
    places = jnp.arange(code.n_places, dtype=jnp.uint32) << codebook.PLACE_SHIFT
    places += jnp.uint32(code.seed * codebook.SEED_FACTOR & 0xFFFFFFFF)
    hashed = _windows(words.codes, code, n_blocks, 0, code.n_in)[:, None] + places[None]
    for shift, factor in codebook.MIX:
        hashed = (hashed ^ hashed >> shift) * jnp.uint32(factor)
    hashed ^= hashed >> codebook.LAST_SHIFT
    numbers = hashed >> (32 - code.threshold_bits)
    return numbers + words.thresholds[None] >= (1 << code.threshold_bits) - 1


def _draw_from_network(
    words: BlockWords, code: BlockCode, n_blocks: int
) -> Bool[Array, "{n_blocks} {code.n_places}"]:
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


def _place(kept: Bool[Array, "blocks places"], words: BlockWords, packed: PackedMask) -> Bool[Array, "..."]:
    code = packed.code
    height, width = code.group_sizes(packed.shape)
    ordered = kept.reshape(height, width, code.row_groups, code.column_groups).transpose(2, 0, 3, 1)
    ordered = ordered.reshape(code.row_groups * height, code.column_groups * width)
    return ordered[words.row_slots][:, words.column_slots]


def _decode_factors(words: FactorWords, packed: PackedMask) -> Bool[Array, "..."]:
    rows, columns = matrix_shape(packed.shape)
    height, width = packed.tile
    n_down, n_across = -(-rows // height), -(-columns // width)

    def add(kept: UInt32[Array, "tiles m words"], factor) -> tuple[UInt32[Array, "tiles m words"], None]:
        row_words, column_words = factor
        taken = unpack_words(row_words, height)[:, :, None]
        return kept | jnp.where(taken, column_words[:, None], jnp.uint32(0)), None

    empty = jnp.zeros((n_down * n_across, height, words.columns.shape[2]), dtype=jnp.uint32)
    kept, _ = jax.lax.scan(add, empty, (words.rows.swapaxes(0, 1), words.columns.swapaxes(0, 1)))
    tiles = unpack_words(kept, width).reshape(n_down, n_across, height, width)
    return tiles.swapaxes(1, 2).reshape(n_down * height, n_across * width)[:rows, :columns]
