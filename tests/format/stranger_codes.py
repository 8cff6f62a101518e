"""The codes of docs/format.md: a plane's streams, the code's settings, what layers share and the mask to the plane."""

from math import gcd, prod

import numpy as np
from stranger_masks import MASKS
from stranger_patches import PATCHES, Bits
from stranger_trained import trained


def xor(streams, code, shared, mask):
    n_in, n_out = code["n_in"], code["n_out"]
    matrix = np.unpackbits(shared["matrix"], count=n_in * n_out, bitorder="little").reshape(n_out, n_in)
    where = places(mask.shape, n_out, code["slicing"], code["slicing_seed"])
    by_columns = code["slicing"] == "column_major"
    padded = np.zeros(where.size, bool)
    padded[: mask.size] = (mask.T if by_columns else mask).ravel()
    care = padded[where]
    words = np.unpackbits(streams["codes"], count=len(care) * n_in, bitorder="little").reshape(-1, n_in)
    outputs = words.astype(np.int64) @ matrix.T.astype(np.int64) % 2 == 1
    counts, positions = Bits(streams["patch_counts"]), Bits(streams["patch_positions"])
    for s, patches in enumerate(PATCHES[code["patch_format"]](counts, positions, care, n_in, code)):
        outputs[s, patches] ^= True
    flat = np.zeros(where.size, bool)
    flat[where] = outputs
    flat = flat[: mask.size]
    return flat.reshape(mask.shape[::-1]).T if by_columns else flat.reshape(mask.shape)


def places(shape, n_out, slicing, seed):
    n_slices = -(-prod(shape) // n_out)
    while slicing == "interleaved" and gcd(n_slices, shape[-1] if shape else 1) > 1:
        n_slices += 1
    s, i = np.ogrid[:n_slices, :n_out]
    if slicing == "shuffled":
        s = (s - (np.random.PCG64(seed).random_raw(n_out) % n_slices).astype(np.int64)) % n_slices
    return i * n_slices + s if slicing in ("interleaved", "shuffled") else s * n_out + i


def of_kept(read):
    def decode(streams, code, shared, mask):
        plane = np.zeros(mask.shape, bool)
        plane[mask] = read(streams, int(mask.sum()))
        return plane

    return decode


def signs(streams, n):
    return np.unpackbits(streams["signs"], count=n, bitorder="little") == 1


def ans_signs(streams, n):
    return MASKS["ans"](streams, (n,))


def dense(streams, code, shared, mask):
    return signs(streams, mask.size).reshape(mask.shape)


CODES = {
    "xor": xor,
    "trained": trained,
    "signs": of_kept(signs),
    "ans_signs": of_kept(ans_signs),
    "dense": dense,
}
