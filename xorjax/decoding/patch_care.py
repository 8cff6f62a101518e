"""The patch format `care` inside jit: Rice codes by prefix sums, and from a care bit's number to its position."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8, UInt32

from xorjax.codec.patches import CareSlices
from xorjax.codec.patches.base import section_bytes
from xorjax.codec.plane import CodedPlane
from xorjax.decoding.slices import CareWords, PatchWords, XorFormat
from xorjax.decoding.words import read_fields, unpack_words


def pack(
    counts: UInt8[np.ndarray, " bytes"], plane: CodedPlane, slices: CareSlices
) -> dict[str, UInt32[np.ndarray, "..."]]:
    """The Rice parameter and the bit of the counts where the remainders begin."""
    k = int(counts[0])
    n_unary = slices.n_slices + int((plane.n_patches >> k).sum(dtype=np.int64))
    return {"rice": np.array([k, 8 * section_bytes(n_unary)], dtype=np.uint32)}


def read_counts(words: PatchWords, format: XorFormat, care: CareWords | None) -> UInt32[Array, " n_slices"]:
    """Patches of each slice: the zeros before its one, and the remainder."""
    parameter, begin = words["rice"]
    # The remainders' bits come after the last slice's one.
    bits = unpack_words(words["counts"], 32 * len(words["counts"]))
    ends = jnp.nonzero(bits, size=format.n_slices)[0].astype(jnp.uint32)
    high = jnp.diff(ends, prepend=jnp.full(1, 0xFFFFFFFF, dtype=jnp.uint32)) - 1
    offsets = begin + jnp.arange(format.n_slices, dtype=jnp.uint32) * parameter
    return (high << parameter) + read_fields(words["counts"], offsets, parameter[None])


def read_positions(
    words: PatchWords,
    format: XorFormat,
    care: CareWords,
    counts: UInt32[Array, " n_slices"],
    slices: UInt32[Array, " n_patches"],
) -> UInt32[Array, " n_patches"]:
    """Each patch's position in its slice."""
    widths = number_widths(count_care(care))
    sizes = counts * widths
    begins = jnp.cumsum(sizes, dtype=jnp.uint32) - sizes
    offsets = begins[slices] + order_in_slice(counts, slices) * widths[slices]
    return select(care, slices, read_fields(words["positions"], offsets, widths[slices]))


def count_care(care: CareWords) -> UInt32[Array, " n_slices"]:
    """Care bits of each slice."""
    return jax.lax.population_count(care).sum(axis=1, dtype=jnp.uint32)


def number_widths(n_care: UInt32[Array, " n_slices"]) -> UInt32[Array, " n_slices"]:
    """ceil(lg n_care), and 0 for none."""
    return 32 - jax.lax.clz(jnp.maximum(n_care, 1) - 1)


def order_in_slice(
    counts: UInt32[Array, " n_slices"], slices: UInt32[Array, " n_patches"]
) -> UInt32[Array, " n_patches"]:
    """How many patches of its slice come before each patch."""
    begins = jnp.cumsum(counts, dtype=jnp.uint32) - counts
    return jnp.arange(len(slices), dtype=jnp.uint32) - begins[slices]


def select(
    care: CareWords,
    slices: UInt32[Array, " k"],
    numbers: UInt32[Array, " k"],
) -> UInt32[Array, " k"]:
    """The position of care bit `numbers` of `slices`: its word by prefix sums, its bit by halving the word."""
    of_word = jax.lax.population_count(care)
    ends = jnp.cumsum(of_word, axis=1, dtype=jnp.uint32)
    word = (ends[slices] <= numbers[:, None]).sum(axis=1, dtype=jnp.uint32)
    left = numbers - (ends - of_word)[slices, word]
    bits, position = care[slices, word], word << 5
    for width in (16, 8, 4, 2, 1):
        low = jax.lax.population_count(bits & ((1 << width) - 1))
        above = left >= low
        left = jnp.where(above, left - low, left)
        bits = jnp.where(above, bits >> width, bits)
        position = jnp.where(above, position + width, position)
    return position
