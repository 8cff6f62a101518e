"""The codes of docs/format.md: a plane's streams, the code's settings, what layers share and the mask to the plane."""

from math import gcd, prod

import numpy as np
from stranger_masks import MASKS, Coder, frequency, matrix_shape
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


def draw(code):
    """The matrix M of a code with a seed, as the shared array has it."""
    n_in, n_out, taps = code["n_in"], code["n_out"], code["taps"]
    source, rank, n_words = np.random.PCG64(code["seed"]), n_in, -(-n_in // 64)
    if taps is not None:
        rank, n_words = 1 if taps == n_in else n_in - (taps % 2 == 0), n_in
    matrix = None
    while matrix is None or rank_of(matrix) != rank:
        words = np.asarray(source.random_raw(n_out * n_words), "<u8").reshape(n_out, n_words)
        if taps is None:
            matrix = np.unpackbits(words.view(np.uint8), axis=1, count=n_in, bitorder="little")
        else:
            matrix = np.zeros((n_out, n_in), np.uint8)
            np.put_along_axis(matrix, np.argsort(words, axis=1, kind="stable")[:, :taps], 1, axis=1)
    return np.packbits(matrix, bitorder="little")


def rank_of(matrix):
    matrix, rank = matrix.copy(), 0
    for j in range(matrix.shape[1]):
        rows = rank + np.flatnonzero(matrix[rank:, j])
        if len(rows):
            matrix[[rank, rows[0]]] = matrix[[rows[0], rank]]
            others = np.flatnonzero(matrix[:, j])
            matrix[others[others != rank]] ^= matrix[rank]
            rank += 1
    return rank


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


def context_signs(streams, code, shared, mask):
    kept, coder = mask.reshape(matrix_shape(mask.shape)), Coder(streams["words"])
    lags = Bits(streams["lags"]).section([24] * (len(streams["lags"]) // 3))
    bits, values, counts = {}, {}, {}
    digits = [[int(n).bit_length() for n in kept.sum(axis)] for axis in (1, 0)]
    for place in np.flatnonzero(kept).tolist():
        i, j = divmod(place, kept.shape[1])
        contexts = {"all": 1, ("row", i): 1, ("column", j): 1, ("counts", digits[0][i], digits[1][j]): 1}
        contexts |= {("lag", d): 2 * bits[place - d] - 1 for d in lags if place - d in bits}
        t = sum(s * values.get(c, 0) for c, s in contexts.items())
        f1 = frequency(min(max((t + 2**17) // 2**18, -64), 64))
        bits[place] = bit = int(coder.symbols([2**24 - f1, f1], 1)[0])
        miss = 2**24 - f1 if bit else -f1
        for c, s in contexts.items():
            values[c] = values.get(c, 0) + s * (miss // (16 + min(counts.get(c, 0), 1023)))
            counts[c] = counts.get(c, 0) + 1
    coder.end()
    plane = np.zeros(kept.size, bool)
    plane[list(bits)] = list(bits.values())
    return plane.reshape(mask.shape)


def dense(streams, code, shared, mask):
    return signs(streams, mask.size).reshape(mask.shape)


CODES = {"xor": xor, "signs": of_kept(signs), "ans_signs": of_kept(ans_signs), "dense": dense}
CODES |= {"context_signs": context_signs, "trained": trained}
