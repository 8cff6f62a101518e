"""Decoded planes and weights as the container sees them, in NumPy, and the hash of a plane."""

import hashlib

import numpy as np
from jaxtyping import Bool, Float32

from xorjax.container.model import CompressedLayer


def plane_sha256(bits: Bool[np.ndarray, "*shape"]) -> str:
    """SHA-256, in hex, over a decoded plane: row-major bits, eight a byte, least significant bit first.

    All bits count, those of pruned weights too, as the code gives them.
    """
    return hashlib.sha256(np.packbits(bits.reshape(-1), bitorder="little").data).hexdigest()


def decode_planes(layer: CompressedLayer) -> Bool[np.ndarray, "planes ..."]:
    """The layer's bit planes; what they hold where the mask is False depends on the code.

    Raises:
        ValueError: a stream is malformed; it is named.
    """
    return layer.code.decode(layer.values, None if layer.index is None else layer.index.mask)


def decode_weights(layer: CompressedLayer) -> Float32[np.ndarray, "..."]:
    """The layer's weights in float32: mask * sum over planes, in order, of scale * (2 * bit - 1)."""
    total = np.zeros(layer.shape, np.float32)
    for plane, scale in zip(decode_planes(layer), layer.scales.astype(np.float32), strict=True):
        total += np.where(plane, scale, -scale)
    total[~layer.mask] = 0
    return total
