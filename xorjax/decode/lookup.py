"""Jitted decoding of packed streams: look-up of code-word chunks in tables of output words, patches flipped.

A code word is cut into chunks of at most 8 bits. The XOR of the columns that a chunk selects is
read from the chunk's table, and the XOR of the chunks' entries is the slice. The streams stay as they are
stored, seen as 32-bit words, and are read by shifts.
"""

from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, UInt32

from xorjax.codec.xor import Encoded
from xorjax.decode import patch_care, patch_enumerative, patch_paper
from xorjax.decode.patch_care import CareLayout
from xorjax.decode.patch_enumerative import EnumerativeLayout
from xorjax.decode.patch_paper import PaperLayout
from xorjax.decode.slices import plane_to_slices, slices_to_plane
from xorjax.decode.words import as_words, pack_words, read_fields, unpack_words
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.tables import even_chunk_bits, xor_tables

# How each patch format is read: `pack` on the host, `read_counts` and `read_positions` inside jit.
_READERS: dict[str, ModuleType] = {
    "paper": patch_paper,
    "blocked": patch_paper,
    "care": patch_care,
    "enumerative": patch_enumerative,
}


class PlaneWords(NamedTuple):
    """The streams of one bit plane as little-endian words, each with a zero word after its end.

    Attributes:
        patches: streams and tables by name, as the patch format reads them.
    """

    codes: UInt32[Array, " code_words"]
    patches: dict[str, UInt32[Array, "..."]]


@dataclass(frozen=True)
class PlaneLayout:
    """What the words of a plane mean: static, hashable.

    Attributes:
        n_patches: of the whole plane.
        slice_layout: how the plane is cut into slices, and `layout_seed` its seed.
        patches: what the words of the patches mean.
    """

    shape: tuple[int, ...]
    n_in: int
    n_out: int
    n_slices: int
    n_patches: int
    slice_layout: str
    layout_seed: int
    patch_format: str
    patches: PaperLayout | CareLayout | EnumerativeLayout

    @property
    def needs_mask(self) -> bool:
        """Whether patches are numbered among the care bits, so that decoding takes the mask."""
        return self.n_patches > 0 and self.patch_format in ("care", "enumerative")


def pack_plane(encoded: Encoded) -> tuple[PlaneWords, PlaneLayout]:
    """The streams of `encoded` for `decode_plane`; headers go to the layout."""
    patches, patch_layout = _READERS[encoded.patch_format].pack(encoded)
    layout = PlaneLayout(
        shape=encoded.shape,
        n_in=encoded.net.n_in,
        n_out=encoded.net.n_out,
        n_slices=len(encoded.codes),
        n_patches=len(encoded.patch_positions),
        slice_layout=encoded.layout,
        layout_seed=encoded.layout_seed,
        patch_format=encoded.patch_format,
        patches=patch_layout,
    )
    return PlaneWords(as_words(encoded.streams["codes"]), patches), layout


def build_tables(net: XorNetwork) -> UInt32[Array, "chunks entries words"]:
    """Entry e of table c is the packed XOR of the columns that e selects among those of chunk c."""
    bits = np.zeros((net.n_in, 32 * -(-net.n_out // 32)), dtype=bool)
    bits[:, : net.n_out] = net.matrix.T
    columns = np.packbits(bits, axis=1, bitorder="little").view("<u4").astype(np.uint32)
    return jnp.asarray(xor_tables(columns, even_chunk_bits(net.n_in)))


def decode_words(
    words: PlaneWords,
    tables: UInt32[Array, "chunks entries words"],
    layout: PlaneLayout,
    care: UInt32[Array, "n_slices words"] | None = None,
) -> UInt32[Array, "n_slices words"]:
    """The slices, packed: bit i of a slice is bit i % 32 of its word i // 32; bits past n_out are zero.

    `care` holds the slices' care bits, packed alike, where the layout `needs_mask`.
    """
    chunk_bits = even_chunk_bits(layout.n_in)
    begins = jnp.arange(layout.n_slices, dtype=jnp.uint32) * layout.n_in
    output = jnp.zeros((layout.n_slices, tables.shape[2]), dtype=jnp.uint32)
    for c in range(len(tables)):
        width = jnp.full(1, min(chunk_bits, layout.n_in - c * chunk_bits), dtype=jnp.uint32)
        output ^= tables[c][read_fields(words.codes, begins + c * chunk_bits, width)]
    if layout.n_patches == 0:
        return output
    reader = _READERS[layout.patch_format]
    counts = reader.read_counts(words.patches, layout.patches, care)
    slices = jnp.repeat(
        jnp.arange(layout.n_slices, dtype=jnp.uint32), counts, total_repeat_length=layout.n_patches
    )
    positions = reader.read_positions(words.patches, layout.patches, care, counts, slices)
    # A slice's positions differ, so that their bits add without a carry.
    flips = jnp.zeros_like(output).at[slices, positions >> 5].add(jnp.uint32(1) << (positions & 31))
    return output ^ flips


@partial(jax.jit, static_argnames="layout")
def decode_plane(
    words: PlaneWords,
    tables: UInt32[Array, "chunks entries words"],
    layout: PlaneLayout,
    mask: Bool[Array, "*shape"] | None = None,
) -> Bool[Array, "*shape"]:
    """The bit plane of one set of packed streams; `mask` where the layout `needs_mask`."""
    care = None
    if layout.needs_mask:
        assert mask is not None
        how = (layout.n_slices, layout.n_out, layout.slice_layout, layout.layout_seed)
        care = pack_words(plane_to_slices(mask, *how))
    # Without the barrier, XLA may fuse the look-ups into the layout's transposition and do them for every bit.
    packed = jax.lax.optimization_barrier(decode_words(words, tables, layout, care))
    bits = unpack_words(packed, layout.n_out)
    return slices_to_plane(bits, layout.shape, layout.slice_layout, layout.layout_seed)


def decode(encoded: Encoded) -> Bool[Array, "*shape"]:
    """The bit plane of `encoded`, decoded on the default device from its streams."""
    words, layout = pack_plane(encoded)
    mask = jnp.asarray(encoded.care) if layout.needs_mask else None
    return decode_plane(words, build_tables(encoded.net), layout, mask)
