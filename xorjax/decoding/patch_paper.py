"""The patch formats `paper` and `blocked` inside jit."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8, UInt32

from xorjax.codec.patches import CareSlices
from xorjax.codec.patches.paper import position_width
from xorjax.codec.plane import CodedPlane
from xorjax.decoding.slices import CareWords, PatchWords, XorFormat
from xorjax.decoding.words import one_width, read_fields


def pack(
    counts: UInt8[np.ndarray, " bytes"], plane: CodedPlane, slices: CareSlices
) -> dict[str, UInt32[np.ndarray, "..."]]:
    """The leading byte of the counts: bits of a count, or of a block's width."""
    return {"width": counts[:1].astype(np.uint32)}


def read_counts(words: PatchWords, format: XorFormat, care: CareWords | None) -> UInt32[Array, " n_slices"]:
    """Patches of each slice."""
    slices, width = jnp.arange(format.n_slices, dtype=jnp.uint32), words["width"]
    if format.patch_format == "paper":
        return read_fields(words["counts"], slices * width, width)
    n_blocks = -(-format.n_slices // format.patch_block)
    blocks = jnp.arange(n_blocks, dtype=jnp.uint32)
    widths = read_fields(words["counts"], blocks * width, width)
    sizes = widths * format.patch_block
    begins = jnp.cumsum(sizes, dtype=jnp.uint32) - sizes + ((n_blocks * width + 7) >> 3 << 3)
    block, place = slices // format.patch_block, slices % format.patch_block
    return read_fields(words["counts"], begins[block] + place * widths[block], widths[block])


def read_positions(
    words: PatchWords,
    format: XorFormat,
    care: CareWords | None,
    counts: UInt32[Array, " n_slices"],
    slices: UInt32[Array, " n_patches"],
) -> UInt32[Array, " n_patches"]:
    """Each patch's position in its slice."""
    width = position_width(format.n_out)
    offsets = jnp.arange(format.n_patches, dtype=jnp.uint32) * width
    return read_fields(words["positions"], offsets, one_width(width))
