"""The patch formats `paper` and `blocked` inside jit."""

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, UInt32

from xorjax.codec.patches.paper import position_width
from xorjax.codec.xor import Encoded
from xorjax.decode.words import as_words, read_fields


@dataclass(frozen=True)
class PaperLayout:
    """What the words mean.

    Attributes:
        patch_block: slices in a block of counts; None where all counts have one width ("paper").
        count_width: bits of a count, or of a block's width ("blocked").
        position_width: bits of a position.
    """

    n_slices: int
    n_patches: int
    patch_block: int | None
    count_width: int
    position_width: int


def pack(encoded: Encoded) -> tuple[dict[str, UInt32[Array, "..."]], PaperLayout]:
    """The streams as words; the counts' leading byte goes to the layout."""
    counts = encoded.streams["patch_counts"]
    words = {"counts": as_words(counts[1:]), "positions": as_words(encoded.streams["patch_positions"])}
    block = encoded.patch_block if encoded.patch_format == "blocked" else None
    width = position_width(encoded.net.n_out)
    return words, PaperLayout(len(encoded.codes), len(encoded.patch_positions), block, int(counts[0]), width)


def read_counts(
    words: dict[str, UInt32[Array, "..."]],
    layout: PaperLayout,
    care: UInt32[Array, "n_slices care_words"] | None,
) -> UInt32[Array, " n_slices"]:
    """Patches of each slice."""
    slices = jnp.arange(layout.n_slices, dtype=jnp.uint32)
    header = jnp.full(1, layout.count_width, dtype=jnp.uint32)
    if layout.patch_block is None:
        return read_fields(words["counts"], slices * layout.count_width, header)
    n_blocks = -(-layout.n_slices // layout.patch_block)
    blocks = jnp.arange(n_blocks, dtype=jnp.uint32)
    widths = read_fields(words["counts"], blocks * layout.count_width, header)
    sizes = widths * layout.patch_block
    begins = jnp.cumsum(sizes, dtype=jnp.uint32) - sizes + 8 * (-(-n_blocks * layout.count_width // 8))
    block, place = slices // layout.patch_block, slices % layout.patch_block
    return read_fields(words["counts"], begins[block] + place * widths[block], widths[block])


def read_positions(
    words: dict[str, UInt32[Array, "..."]],
    layout: PaperLayout,
    care: UInt32[Array, "n_slices care_words"] | None,
    counts: UInt32[Array, " n_slices"],
    slices: UInt32[Array, " n_patches"],
) -> UInt32[Array, " n_patches"]:
    """Each patch's position in its slice."""
    offsets = jnp.arange(layout.n_patches, dtype=jnp.uint32) * layout.position_width
    return read_fields(words["positions"], offsets, jnp.full(1, layout.position_width, dtype=jnp.uint32))
