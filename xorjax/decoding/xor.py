"""The XOR code inside jit: look-up of code-word chunks in tables of output words, patches flipped.

A code word is cut into chunks of at most 8 bits. The XOR of the columns that a chunk selects is
read from the chunk's table, and the XOR of the chunks' entries is the slice. The streams stay as they are
stored, seen as 32-bit words, and are read by shifts.

What depends on a plane's signs (numbers of patches, widths of counts) is dynamic, and lengths are rounded up: planes of
one shape and mask share a compilation, and so do nearly all weights of one shape and prune rate.
"""

from types import ModuleType

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt32

from xorjax.codec.code import EncodedPlanes, Mask
from xorjax.codec.xor import XorCode, care_slices, network
from xorjax.decoding import patch_care, patch_enumerative, patch_paper
from xorjax.decoding.planes import DECODERS, PackedPlanes, Words
from xorjax.decoding.slices import CareWords, PatchWords, XorFormat, plane_to_slices, slices_to_plane
from xorjax.decoding.words import (
    as_words,
    coarse,
    one_width,
    pack_words,
    read_fields,
    stack,
    unpack_words,
)
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_bits
from xorjax.gf2.tables import even_chunk_bits, xor_tables

# How each patch format is read: `pack`, on the host, of what it adds; `read_counts` and `read_positions` inside jit.
_READERS: dict[str, ModuleType] = {
    "paper": patch_paper,
    "blocked": patch_paper,
    "care": patch_care,
    "enumerative": patch_enumerative,
}


@DECODERS.register
class XorDecoder:
    """Words: "codes" and "patches" (by name, as the patch format reads them) of each plane, and "tables" of all."""

    id = "xor"

    @staticmethod
    def pack(values: EncodedPlanes, mask: Mask | None) -> tuple[Words, XorFormat]:
        code, net = values.code, network(values)
        assert isinstance(code, XorCode)
        slices, reader = care_slices(code, values.shape, mask), _READERS[code.patch_format]
        planes = list(code.read(values, mask))
        n_patches = max(len(plane.patch_positions) for plane in planes)
        patches = []
        for p, plane in enumerate(planes):
            counts, positions = (values.streams[f"{p}/patch_{name}"] for name in ("counts", "positions"))
            own = reader.pack(counts, plane, slices)
            patches.append({"counts": as_words(counts[1:]), "positions": as_words(positions), **own})
        words = {
            "codes": stack([as_words(values.streams[f"{p}/codes"], room=False) for p in range(len(planes))]),
            "patches": {
                name: stack([of_plane[name] for of_plane in patches])
                for name in (patches[0] if n_patches else ())
            },
            "tables": build_tables(net),
        }
        return words, XorFormat(
            net.n_in,
            net.n_out,
            slices.n_slices,
            coarse(n_patches),
            code.patch_format,
            code.patch_block if code.patch_format == "blocked" else 0,
            code.slicing,
            code.slicing_seed if code.slicing == "shuffled" else 0,
        )

    @staticmethod
    def decode(planes: PackedPlanes, mask: Bool[Array, "*shape"] | None) -> Bool[Array, "planes *shape"]:
        format, words, care = planes.format, planes.words, None
        assert isinstance(format, XorFormat)
        how = (format.slicing, format.slicing_seed)
        if format.needs_mask:
            # Behind the barrier, ones are not cut into slices when the program is compiled.
            care = jax.lax.optimization_barrier(jnp.ones(planes.shape, bool)) if mask is None else mask
            care = pack_words(plane_to_slices(care, format.n_slices, format.n_out, *how))

        def decode_plane(of_plane) -> Bool[Array, "*shape"]:
            codes, patches = of_plane
            packed = decode_words(codes, patches, words["tables"], format, care)
            # Without the barrier, XLA may fuse the look-ups into the slicing's transposition and do them for every bit.
            bits = unpack_words(jax.lax.optimization_barrier(packed), format.n_out)
            return slices_to_plane(bits, planes.shape, *how)

        by_plane = words["codes"], words["patches"]
        if planes.n_planes == 1:
            return decode_plane(jax.tree.map(lambda array: array[0], by_plane))[None]
        return jax.lax.map(decode_plane, by_plane)


def build_tables(net: XorNetwork) -> UInt32[Array, "chunks entries words"]:
    """Entry e of table c is the packed XOR of the columns that e selects among those of chunk c."""
    columns = pack_bits(net.matrix.T)
    return jnp.asarray(xor_tables(columns, even_chunk_bits(net.n_in)))


def decode_words(
    codes: UInt32[Array, " code_words"],
    patches: PatchWords,
    tables: UInt32[Array, "chunks entries words"],
    format: XorFormat,
    care: CareWords | None = None,
) -> UInt32[Array, "n_slices words"]:
    """The slices of a plane, packed: bit i of a slice is bit i % 32 of its word i // 32; bits past n_out are zero.

    `care` holds the slices' care bits, packed alike, where the format `needs_mask`.
    """
    chunk_bits = even_chunk_bits(format.n_in)
    begins = jnp.arange(format.n_slices, dtype=jnp.uint32) * format.n_in
    output = jnp.zeros((format.n_slices, tables.shape[2]), dtype=jnp.uint32)
    for c in range(len(tables)):
        width = one_width(min(chunk_bits, format.n_in - c * chunk_bits))
        output ^= tables[c][read_fields(codes, begins + c * chunk_bits, width)]
    if format.n_patches == 0:
        return output
    reader = _READERS[format.patch_format]
    counts = reader.read_counts(patches, format, care)
    order = jnp.arange(format.n_patches, dtype=jnp.uint32)
    slices = jnp.repeat(
        jnp.arange(format.n_slices, dtype=jnp.uint32), counts, total_repeat_length=format.n_patches
    )
    positions = reader.read_positions(patches, format, care, counts, slices)
    # A slice's positions differ, so that their bits add without a carry. Past the last patch nothing is flipped.
    bits = jnp.where(order < counts.sum(dtype=jnp.uint32), jnp.uint32(1) << (positions & 31), 0)
    return output ^ jnp.zeros_like(output).at[slices, positions >> 5].add(bits)
