"""Jitted decoding of packed streams: look-up of code-word chunks in tables of output words, patches flipped.

A code word is cut into chunks of at most `CHUNK_BITS` bits. The XOR of the columns that a chunk selects is
read from the chunk's table, and the XOR of the chunks' entries is the slice. The streams stay as they are
stored, seen as 32-bit words, and are read by shifts.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, UInt8, UInt32

from xorjax.codec.layout import from_slices
from xorjax.codec.patches import position_width
from xorjax.codec.xor import Encoded
from xorjax.gf2.network import XorNetwork

CHUNK_BITS = 8


class PlaneWords(NamedTuple):
    """The streams of one bit plane as little-endian words, each with a zero word after its end."""

    codes: UInt32[Array, " code_words"]
    counts: UInt32[Array, " count_words"]
    positions: UInt32[Array, " position_words"]


@dataclass(frozen=True)
class PlaneLayout:
    """What the words of a plane mean: static, hashable.

    Attributes:
        n_patches: of the whole plane.
        patch_block: slices in a block of counts; None where all counts have one width ("paper").
        count_width: bits of a count, or of a block's width ("blocked").
    """

    shape: tuple[int, ...]
    n_in: int
    n_out: int
    n_slices: int
    n_patches: int
    patch_block: int | None
    count_width: int
    slice_layout: str


def pack_plane(encoded: Encoded) -> tuple[PlaneWords, PlaneLayout]:
    """The streams of `encoded` for `decode_plane`; the counts' leading byte goes to the layout."""
    streams = encoded.streams
    counts = streams["patch_counts"]
    words = PlaneWords(
        _as_words(streams["codes"]), _as_words(counts[1:]), _as_words(streams["patch_positions"])
    )
    layout = PlaneLayout(
        shape=encoded.shape,
        n_in=encoded.net.n_in,
        n_out=encoded.net.n_out,
        n_slices=len(encoded.codes),
        n_patches=len(encoded.patch_positions),
        patch_block=encoded.patch_block if encoded.patch_format == "blocked" else None,
        count_width=int(counts[0]),
        slice_layout=encoded.layout,
    )
    return words, layout


def _as_words(stream: UInt8[np.ndarray, " bytes"]) -> UInt32[Array, " words"]:
    padded = np.zeros(4 * (len(stream) // 4 + 2), dtype=np.uint8)
    padded[: len(stream)] = stream
    return jnp.asarray(padded.view("<u4").astype(np.uint32))


def build_tables(net: XorNetwork) -> UInt32[Array, "chunks entries words"]:
    """Entry e of table c is the packed XOR of the columns that e selects among those of chunk c."""
    chunk_bits = _chunk_bits(net.n_in)
    n_chunks = -(-net.n_in // chunk_bits)
    n_words = -(-net.n_out // 32)
    bits = np.zeros((n_chunks * chunk_bits, 32 * n_words), dtype=bool)
    bits[: net.n_in, : net.n_out] = net.matrix.T
    columns = np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32)
    tables = np.zeros((n_chunks, 1, n_words), dtype=np.uint32)
    for column in columns.reshape(n_chunks, chunk_bits, n_words).transpose(1, 0, 2):
        tables = np.concatenate([tables, tables ^ column[:, None]], axis=1)
    return jnp.asarray(tables)


def _chunk_bits(n_in: int) -> int:
    n_chunks = -(-n_in // CHUNK_BITS)
    return -(-n_in // n_chunks)


def read_fields(
    words: UInt32[Array, " words"], offsets: UInt32[Array, " k"], widths: UInt32[Array, "#k"]
) -> UInt32[Array, " k"]:
    """Fields of `widths` bits (0 to 31) that begin at bit `offsets` of `words`, by shifts of two words."""
    word, bit = offsets >> 5, offsets & 31
    # The high word moves in two steps, since a shift by 32 is undefined.
    field = (words[word] >> bit) | ((words[word + 1] << (31 - bit)) << 1)
    return field & ((jnp.uint32(1) << widths) - 1)


def read_counts(words: UInt32[Array, " words"], layout: PlaneLayout) -> UInt32[Array, " n_slices"]:
    """Patches of each slice, from the counts stream after its leading byte."""
    slices = jnp.arange(layout.n_slices, dtype=jnp.uint32)
    header = jnp.full(1, layout.count_width, dtype=jnp.uint32)
    if layout.patch_block is None:
        return read_fields(words, slices * layout.count_width, header)
    n_blocks = -(-layout.n_slices // layout.patch_block)
    widths = read_fields(words, jnp.arange(n_blocks, dtype=jnp.uint32) * layout.count_width, header)
    sizes = widths * layout.patch_block
    begins = jnp.cumsum(sizes, dtype=jnp.uint32) - sizes + 8 * (-(-n_blocks * layout.count_width // 8))
    block, place = slices // layout.patch_block, slices % layout.patch_block
    return read_fields(words, begins[block] + place * widths[block], widths[block])


def decode_words(
    words: PlaneWords, tables: UInt32[Array, "chunks entries words"], layout: PlaneLayout
) -> UInt32[Array, "n_slices words"]:
    """The slices, packed: bit i of a slice is bit i % 32 of its word i // 32; bits past n_out are zero."""
    chunk_bits = _chunk_bits(layout.n_in)
    begins = jnp.arange(layout.n_slices, dtype=jnp.uint32) * layout.n_in
    output = jnp.zeros((layout.n_slices, tables.shape[2]), dtype=jnp.uint32)
    for c in range(len(tables)):
        width = jnp.full(1, min(chunk_bits, layout.n_in - c * chunk_bits), dtype=jnp.uint32)
        output ^= tables[c][read_fields(words.codes, begins + c * chunk_bits, width)]
    if layout.n_patches == 0:
        return output
    counts = read_counts(words.counts, layout)
    slices = jnp.repeat(
        jnp.arange(layout.n_slices, dtype=jnp.uint32), counts, total_repeat_length=layout.n_patches
    )
    width = position_width(layout.n_out)
    positions = read_fields(
        words.positions,
        jnp.arange(layout.n_patches, dtype=jnp.uint32) * width,
        jnp.full(1, width, dtype=jnp.uint32),
    )
    # A slice's positions differ, so that their bits add without a carry.
    flips = jnp.zeros_like(output).at[slices, positions >> 5].add(jnp.uint32(1) << (positions & 31))
    return output ^ flips


@partial(jax.jit, static_argnames="layout")
def decode_plane(
    words: PlaneWords, tables: UInt32[Array, "chunks entries words"], layout: PlaneLayout
) -> Bool[Array, "*shape"]:
    """The bit plane of one set of packed streams."""
    slices = decode_words(words, tables, layout)
    return from_slices(unpack_words(slices, layout.n_out), layout.shape, layout.slice_layout)


def unpack_words(words: UInt32[Array, "rows words"], n: int) -> Bool[Array, "rows {n}"]:
    """The first `n` bits of each row of words."""
    bits = (words[:, :, None] >> jnp.arange(32, dtype=jnp.uint32)[None, None, :]) & 1
    return bits.astype(bool).reshape(len(words), -1)[:, :n]


def decode(encoded: Encoded) -> Bool[Array, "*shape"]:
    """The bit plane of `encoded`, decoded on the default device from its streams."""
    words, layout = pack_plane(encoded)
    return decode_plane(words, build_tables(encoded.net), layout)
