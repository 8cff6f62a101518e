"""Whether a searched XOR code can use that signs are uneven, counted in bits.

`inverted` lets each slice be its complement. `guessed` leaves signs out that a guess foretells, so that they are no
care bits, and stores which guesses are wrong. A decoder can do that, whoever guesses: the network's outputs are all
there before the first sign is guessed.
"""

from dataclasses import dataclass, replace
from math import lgamma, log
from typing import cast

import numpy as np
from jaxtyping import Bool, Float64

from xorjax.codec.context_signs import LAG_BITS, Layer, find_lags
from xorjax.codec.patches import CareSlices
from xorjax.codec.plane import CodedPlane, search, write
from xorjax.codec.slicing import to_slices
from xorjax.codec.xor import XorCode, draw_network
from xorjax.masks.ans import PRECISION
from xorjax.masks.base import matrix_shape

Bits = Bool[np.ndarray, "*shape"]


@dataclass(frozen=True, eq=False)
class Guess:
    """What foretells the signs of the kept weights.

    Attributes:
        plus: the probability of +1, 1/2 elsewhere.
        side_bits: what a decoder must be told.
    """

    plus: Float64[np.ndarray, "*shape"]
    side_bits: int


def by_contexts(plane: Bits, mask: Bits) -> Guess:
    """The model of the code `context_signs`: a decoder guesses sign after sign."""
    layer = Layer.of(mask.shape, mask)
    signs = layer.signs(plane.ravel())
    lags = find_lags(signs.reshape(layer.shape))
    plus = np.full(mask.shape, 0.5)
    plus[mask] = layer.shares(signs, lags) / (1 << PRECISION)
    return Guess(plus, LAG_BITS * len(lags))


def by_rows(plane: Bits, mask: Bits) -> Guess:
    """The sign that most of a row have. A decoder is told it and whether it is guessed, and guesses all at once."""
    rows, columns = matrix_shape(mask.shape)
    ones, kept = ((plane & mask).reshape(rows, columns).sum(1), mask.reshape(rows, columns).sum(1))
    share = np.broadcast_to((ones / np.maximum(kept, 1))[:, None], (rows, columns)).reshape(mask.shape)
    return Guess(np.where(mask, share, 0.5), 2 * rows)


@dataclass(frozen=True)
class Guessed:
    """Value bits of a layer some of whose signs are guessed.

    Attributes:
        share: of the kept signs, those that are guessed.
        wrong: of the guesses, those that are wrong.
        as_set: bits where the wrong guesses are one of all sets of so many, numbered: no list of them is shorter.
        by_slice: bits where each slice lists its own by number, as in the patch format `care`.
    """

    share: float
    wrong: float
    as_set: float
    by_slice: float


def plain(plane: Bits, mask: Bits, code: XorCode) -> int:
    """The value bits of the layer."""
    return sum(code.encode(plane[None], mask).bits.values())


def guessed(plane: Bits, mask: Bits, code: XorCode, guess: Guess, threshold: float) -> Guessed:
    """The value bits where a sign is no care bit if the guess of it is wrong with less probability than `threshold`."""
    left_out = mask & (np.minimum(guess.plus, 1 - guess.plus) < threshold)
    is_wrong = left_out & ((guess.plus >= 0.5) != plane)
    encoded = code.encode(plane[None], mask & ~left_out)
    bits = sum(encoded.bits.values()) + guess.side_bits
    n, n_wrong = int(left_out.sum()), int(is_wrong.sum())
    as_set = (lgamma(n + 1) - lgamma(n_wrong + 1) - lgamma(n - n_wrong + 1)) / log(2)
    code = replace(cast(XorCode, encoded.code), patch_format="care")
    assert code.n_out is not None
    flags, care = (to_slices(a, code.n_out, code.slicing, code.slicing_seed) for a in (is_wrong, left_out))
    slices = CareSlices.of(care, code.n_in, code.patch_block)
    # The wrong guesses as if they were patches, of code words that are not counted.
    listed = CodedPlane(
        np.zeros((len(flags), 1), np.uint64),
        flags.sum(1).astype(np.int32),
        np.nonzero(flags)[1].astype(np.int32),
    )
    by_slice = sum(
        8 * len(stream) for name, stream in write(listed, slices, "care").items() if name != "codes"
    )
    n_kept = max(int(mask.sum()), 1)
    return Guessed(n / n_kept, n_wrong / max(n, 1), bits + as_set, float(bits + by_slice))


def inverted(plane: Bits, mask: Bits, code: XorCode) -> int:
    """The value bits where a slice or its complement is encoded, whichever has fewer patches, and a bit says which."""
    code = cast(XorCode, code.encode(plane[None], mask).code)
    assert code.n_out is not None
    assert code.seed is not None
    net = draw_network(code.n_in, code.n_out, code.seed, code.taps)
    care, bits = (to_slices(a, code.n_out, code.slicing, code.slicing_seed) for a in (mask, plane))
    first, other = (search(b, care, net, code.method) for b in (bits, ~bits))
    flips = other.n_patches < first.n_patches
    positions = [np.split(coded.patch_positions, np.cumsum(coded.n_patches)[:-1]) for coded in (first, other)]
    chosen = replace(
        first,
        codes=np.where(flips[:, None], other.codes, first.codes),
        n_patches=np.where(flips, other.n_patches, first.n_patches),
        patch_positions=np.concatenate([positions[int(flip)][s] for s, flip in enumerate(flips)]),
    )
    streams = write(chosen, CareSlices.of(care, code.n_in, code.patch_block), code.patch_format)
    return sum(8 * len(stream) for stream in streams.values()) + len(bits)
