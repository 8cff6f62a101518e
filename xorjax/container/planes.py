"""Decoded planes and weights as the container sees them: in NumPy, straight from the words, and the hash of a plane."""

import hashlib

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from xorjax.codec.layout import from_slices
from xorjax.codec.xor import Encoded
from xorjax.container.model import CompressedLayer
from xorjax.gf2.network import XorNetwork
from xorjax.gf2.tables import xor_tables

_TILE_BITS = 1 << 23


def plane_sha256(bits: Bool[np.ndarray, "*shape"]) -> str:
    """SHA-256, in hex, over a decoded plane: row-major bits, eight a byte, least significant bit first.

    All bits count, don't-cares too: a code word fixes them. The last slice's padding does not.
    """
    return hashlib.sha256(np.packbits(bits.reshape(-1), bitorder="little").data).hexdigest()


def decode_plane(encoded: Encoded) -> Bool[np.ndarray, "..."]:
    """The plane: M times each code word over GF(2), then each patch flips a bit.

    A tile of slices at a time: for each byte of the code words, the XOR of the columns that it selects is looked up.
    """
    net = encoded.net
    tables = _tables(net)
    codes = np.ascontiguousarray(encoded.codes, "<u8").view(np.uint8)[:, : len(tables)]
    outputs = np.empty((len(codes), net.n_out), np.bool_)
    step = max(1, _TILE_BITS // net.n_out)
    for begin in range(0, len(codes), step):
        packed = np.zeros((len(codes[begin : begin + step]), tables.shape[2]), np.uint8)
        for table, byte in zip(tables, codes[begin : begin + step].T, strict=True):
            packed ^= table[byte]
        bits = np.unpackbits(packed, axis=1, count=net.n_out, bitorder="little")
        outputs[begin : begin + step] = bits.view(np.bool_)
    slices = np.repeat(np.arange(len(codes)), encoded.n_patches)
    outputs[slices, encoded.patch_positions] ^= True
    return from_slices(outputs, encoded.shape, encoded.layout, encoded.layout_seed)


def decode_weights(layer: CompressedLayer) -> Float32[np.ndarray, "..."]:
    """The layer's weights: mask * sum over planes, in order, of scale * (2 * bit - 1), in float32."""
    total = np.zeros(layer.shape, np.float32)
    for plane, scale in zip(layer.planes, layer.scales, strict=True):
        bits = decode_plane(plane)
        total += np.where(bits, scale, -scale)
    total[~layer.mask] = 0
    return total


def _tables(net: XorNetwork) -> UInt8[np.ndarray, "code_bytes 256 out_bytes"]:
    """Entry e of table c: the packed XOR of the columns 8 c + j for which bit j of e is 1."""
    return xor_tables(np.packbits(net.matrix.T, axis=1, bitorder="little"), 8)
