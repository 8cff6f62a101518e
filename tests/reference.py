"""The decoder from the definition, in NumPy: M x modulo 2 for each slice, then the patches flipped."""

import numpy as np
from jaxtyping import Bool

from xorjax.codec.encoded import Encoded


def decode(encoded: Encoded) -> Bool[np.ndarray, "*shape"]:
    """The bit plane of `encoded`. Slow; what all other decoders are held to."""
    net, n_slices, slicing = encoded.net, len(encoded.codes), encoded.code.slicing
    flat = np.zeros(n_slices * net.n_out, dtype=bool)
    raw = [
        int(word) for word in np.atleast_1d(np.random.PCG64(encoded.code.slicing_seed).random_raw(net.n_out))
    ]
    begin = 0
    for s, (code, count) in enumerate(zip(encoded.codes, encoded.n_patches, strict=True)):
        number = sum(int(word) << 64 * k for k, word in enumerate(code))
        x = np.array([number >> j & 1 for j in range(net.n_in)])
        outputs = net.matrix.astype(int) @ x % 2 == 1
        for position in encoded.patch_positions[begin : begin + count]:
            outputs[position] = not outputs[position]
        begin += count
        for i, output in enumerate(outputs):
            if slicing == "interleaved":
                flat[i * n_slices + s] = output
            elif slicing == "shuffled":
                flat[i * n_slices + (s - raw[i]) % n_slices] = output
            else:
                flat[s * net.n_out + i] = output
    bits = flat[: encoded.n_weights]
    if slicing == "column_major":
        return bits.reshape(encoded.shape[::-1]).transpose()
    return bits.reshape(encoded.shape)
