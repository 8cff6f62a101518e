"""One plane under one XOR network: `search` finds code words and patches, `write` and `read` turn them into streams and
back, `put_out` gives the bits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, UInt8, UInt64

from xorjax.codec.patches import PATCH_FORMATS, CareSlices
from xorjax.errors import about
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.pack import pack_codes, unpack_codes
from xorjax.gf2.tables import xor_tables
from xorjax.masks.base import Streams

METHODS = ("greedy", "minimum")
ENCODERS = ("numba", "galois")
STREAMS = ("codes", "patch_counts", "patch_positions")

TILE = 1 << 22


@dataclass(frozen=True, eq=False)
class CodedPlane:
    """What a plane is stored as.

    Attributes:
        codes: code words; bit j % 64 of word j // 64 meets column j of the network's matrix.
        n_patches: patches in each slice.
        patch_positions: within the slice, 0 to n_out - 1, ascending; slices in order. All are care bits.
        n_bounded: slices that were too redundant for the exact search of the method "minimum".
    """

    codes: UInt64[np.ndarray, "n_slices code_words"]
    n_patches: Int32[np.ndarray, " n_slices"]
    patch_positions: Int32[np.ndarray, " n_patches"]
    n_bounded: int = 0


def search(
    bits: Bool[np.ndarray, "n_slices n_out"],
    care: Bool[np.ndarray, "n_slices n_out"],
    net: XorNetwork,
    method: str = "minimum",
    encoder: str = "numba",
    tell: Callable[[float], None] = lambda done: None,
) -> CodedPlane:
    """Code words that put out `bits` wherever `care`, but for the patches; a run of slices at a time."""
    step, found = max(1, TILE // net.n_out), []
    for begin in range(0, len(bits), step):
        tile = slice(begin, begin + step)
        found.append(_search(bits[tile].reshape(-1), care[tile].reshape(-1), net, method, encoder))
        tell(min(1.0, (begin + step) / len(bits)))
    codes, n_patches, positions = (np.concatenate([part[i] for part in found]) for i in range(3))
    return CodedPlane(codes, n_patches, positions, sum(part[3] for part in found))


def _search(bits, care, net: XorNetwork, method: str, encoder: str) -> tuple:
    # Imported when used: numba and galois take a second or two, which decoding need not wait for.
    from xorjax.gf2 import compiled  # noqa: F401  First, since it says what keeps numba from starting.

    if encoder == "galois":
        from xorjax.gf2 import oracle

        found = oracle.encode_slices(bits, care, net, method)
    elif method == "greedy":
        from xorjax.gf2 import elimination

        found = elimination.encode_slices(bits, care, net)
    else:
        from xorjax.gf2 import minimum

        found = minimum.encode_slices(bits, care, net)
    return found if len(found) == 4 else (*found, 0)


def write(plane: CodedPlane, slices: CareSlices, patch_format: str) -> Streams:
    """The bytes of a plane: "codes" in fields of n_in bits, "patch_counts", "patch_positions"."""
    patches = PATCH_FORMATS[patch_format]
    return {
        "codes": pack_codes(plane.codes, slices.n_in),
        "patch_counts": patches.pack_counts(plane.n_patches, slices),
        "patch_positions": patches.pack_positions(plane.n_patches, plane.patch_positions, slices),
    }


def read(
    streams: Mapping[str, UInt8[np.ndarray, " _"]], slices: CareSlices, patch_format: str, prefix: str = ""
) -> CodedPlane:
    """Reads what `write` gave, under the same slices; a stream is found under `prefix` + name.

    Memory stays within a multiple of the streams and the mask, whatever the streams claim.

    Raises:
        ValueError: a stream is too short or too long, or holds what no encoder writes (a patch that is no care bit,
            positions out of order, bits set after the end); it is named.
    """
    patches = PATCH_FORMATS[patch_format]
    with about(f"stream '{prefix}codes'"):
        codes = unpack_codes(streams[f"{prefix}codes"], slices.n_in, slices.n_slices)
    with about(f"stream '{prefix}patch_counts'"):
        n_patches = patches.unpack_counts(streams[f"{prefix}patch_counts"], slices)
        if (n_patches > slices.n_care).any():
            raise ValueError("a slice has more patches than care bits")
    with about(f"stream '{prefix}patch_positions'"):
        positions = patches.unpack_positions(streams[f"{prefix}patch_positions"], n_patches, slices)
        slices.numbers(n_patches, positions)
        if (np.diff(slices.slices_of(n_patches) * slices.n_out + positions) <= 0).any():
            raise ValueError("the positions of a slice do not ascend")
    plane = CodedPlane(codes, n_patches, positions)
    for name, stream in write(plane, slices, patch_format).items():
        given = streams[f"{prefix}{name}"]
        if not np.array_equal(stream, given):
            raise ValueError(
                f"stream '{prefix}{name}': its {len(given)} bytes are not the {len(stream)} bytes that its values "
                "are written as"
            )
    return plane


def put_out(plane: CodedPlane, net: XorNetwork) -> Bool[np.ndarray, "n_slices n_out"]:
    """The slices: M times each code word over GF(2), then each patch flips a bit.

    A tile of slices at a time: for each byte of the code words, the XOR of the columns that it selects is looked up.
    """
    tables = xor_tables(np.packbits(net.matrix.T, axis=1, bitorder="little"), 8)
    codes = np.ascontiguousarray(plane.codes, "<u8").view(np.uint8)[:, : len(tables)]
    slices = np.empty((len(codes), net.n_out), np.bool_)
    step = max(1, 2 * TILE // net.n_out)
    for begin in range(0, len(codes), step):
        tile = codes[begin : begin + step]
        packed = np.zeros((len(tile), tables.shape[2]), np.uint8)
        for table, byte in zip(tables, tile.T, strict=True):
            packed ^= table[byte]
        bits = np.unpackbits(packed, axis=1, count=net.n_out, bitorder="little")
        slices[begin : begin + step] = bits.view(np.bool_)
    slices[np.repeat(np.arange(len(codes)), plane.n_patches), plane.patch_positions] ^= True
    return slices
