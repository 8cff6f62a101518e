"""Decoded planes as the container sees them: what a plane decodes to by definition, and the hash of that."""

import hashlib

import numpy as np
from jaxtyping import Bool

from xorjax.codec.layout import from_slices
from xorjax.codec.xor import Encoded


def plane_sha256(bits: Bool[np.ndarray, "*shape"]) -> str:
    """SHA-256, in hex, over a decoded plane: row-major bits, eight a byte, least significant bit first.

    All bits count, don't-cares too: a code word fixes them. The last slice's padding does not.
    """
    return hashlib.sha256(np.packbits(bits.ravel(), bitorder="little").tobytes()).hexdigest()


def decode_plane(encoded: Encoded) -> Bool[np.ndarray, "..."]:
    """The plane by definition, in NumPy: M times each code word over GF(2), then each patch flips a bit."""
    net = encoded.net
    outputs = np.zeros((len(encoded.codes), net.n_out), dtype=np.bool_)
    for j, column in enumerate(net.matrix.astype(np.bool_).T):
        is_set = (encoded.codes >> np.uint64(j) & np.uint64(1)).astype(np.bool_)
        outputs ^= is_set[:, None] & column
    slices = np.repeat(np.arange(len(encoded.codes)), encoded.n_patches)
    outputs[slices, encoded.patch_positions] ^= True
    return from_slices(outputs, encoded.shape, encoded.layout)
