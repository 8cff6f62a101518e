"""Each block of mask bits is the one of 2**n_in pseudo-random masks that keeps the most score.

The number of place p in word w is the leading bits of an integer hash of (w, p, seed): a counter-based
generator, so that no table is stored and each mask bit decodes on its own, in NumPy, in `jit` or in hardware.
"""

import numpy as np
from jaxtyping import Bool, Float32, Integer, UInt16

from xorjax.masks.base import MASK_CODECS, Streams
from xorjax.masks.blocks import STREAM_NAMES, read_block_mask
from xorjax.masks.search import BlockSettings, choose_code, fit_blocks
from xorjax.masks.words import MAX_EXHAUSTIVE, WordTable

MAX_N_IN = MAX_EXHAUSTIVE
SEED_FACTOR = 0x9E3779B9
MIX = ((16, 0x7FEB352D), (15, 0x846CA68B))
LAST_SHIFT = 16
PLACE_SHIFT = 16


def numbers(
    words: Integer[np.ndarray, " n"], n_places: int, bits: int, seed: int
) -> UInt16[np.ndarray, "n {n_places}"]:
    """The leading `bits` of the hash of each word at each place.

    The hash is lowbias32 (Wellons, 2018) of word + 2**16 place + 0x9E3779B9 seed, modulo 2**32.
    """
    places = np.arange(n_places, dtype=np.uint32) << np.uint32(PLACE_SHIFT)
    offset = np.uint32(seed * SEED_FACTOR & 0xFFFFFFFF)
    hashed = words.astype(np.uint32)[:, None] + (places + offset)
    for shift, factor in MIX:
        hashed ^= hashed >> np.uint32(shift)
        hashed *= np.uint32(factor)
    hashed ^= hashed >> np.uint32(LAST_SHIFT)
    return (hashed >> np.uint32(32 - bits)).astype(np.uint16)


class Codebook:
    """Streams `header`, `rows`, `columns`, `thresholds` and `codes`; see `masks.blocks`."""

    id = "codebook"
    stream_names = STREAM_NAMES
    settings = BlockSettings

    def fit(
        self, scores: Float32[np.ndarray, "*shape"], prune_rate: float, settings: BlockSettings
    ) -> Streams:
        code = choose_code(scores.shape, prune_rate, settings)
        code.check(scores.shape, MAX_N_IN)
        words = np.arange(1 << code.n_in)
        table = numbers(words, code.n_places, code.threshold_bits, code.seed).T
        return fit_blocks(scores, prune_rate, code, WordTable(code, np.ascontiguousarray(table)))

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        mask = read_block_mask(streams, shape, MAX_N_IN)
        code = mask.code
        words = np.packbits(mask.windows, axis=1, bitorder="little")
        words = np.pad(words, ((0, 0), (0, 2 - words.shape[1]))).view("<u2").ravel()
        drawn = numbers(words, code.n_places, code.threshold_bits, code.seed)
        return mask.place(mask.keep(drawn), shape)


MASK_CODECS.register(Codebook())
