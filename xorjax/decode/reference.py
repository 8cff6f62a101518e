"""The decoder from the definition, in NumPy: M x modulo 2 for each slice, then the patches flipped."""

import numpy as np
from jaxtyping import Bool

from xorjax.codec.xor import Encoded


def decode(encoded: Encoded) -> Bool[np.ndarray, "*shape"]:
    """The bit plane of `encoded`. Slow; what `lookup.decode` is held to."""
    net = encoded.net
    plane = np.zeros((len(encoded.codes), net.n_out), dtype=bool)
    begin = 0
    for i, (code, count) in enumerate(zip(encoded.codes, encoded.n_patches, strict=True)):
        x = np.array([int(code) >> j & 1 for j in range(net.n_in)])
        plane[i] = net.matrix.astype(int) @ x % 2
        for position in encoded.patch_positions[begin : begin + count]:
            plane[i, position] = not plane[i, position]
        begin += count
    flat = np.zeros(plane.size, dtype=bool)
    n_slices = len(plane)
    for i, bits in enumerate(plane):
        if encoded.layout == "interleaved":
            flat[i::n_slices] = bits
        else:
            flat[i * net.n_out : (i + 1) * net.n_out] = bits
    return flat[: encoded.n_weights].reshape(encoded.shape)
