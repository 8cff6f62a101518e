"""The mask at its entropy: asymmetric numeral systems (Duda et al., 2015) under one density for the layer.

The density is the count of kept weights, an integer in the file. The model's two frequencies follow from it
in integer arithmetic, so every machine decodes the same mask. The coder is constriction's `AnsCoder`: a state
of 64 bits, words of 32, frequencies that sum to 2**24. `docs/format.md` spells the decoder out.
"""

from math import prod
from typing import Any

import numpy as np
from constriction import stream as coders  # pyright: ignore[reportAttributeAccessIssue]
from jaxtyping import Bool, UInt8, UInt32

from xorjax.masks.base import MASK_CODECS, Streams, count_to_bytes, read_count, read_stream

PRECISION = 24


def encode_bernoulli(bits: Bool[np.ndarray, " n"]) -> Streams:
    """Streams `n_ones`, eight bytes, and `words`, the coder's 32-bit words, least significant byte first.

    `words` is empty when the bits are all equal.
    """
    n, n_ones = len(bits), int(bits.sum())
    coder = coders.stack.AnsCoder()
    if 0 < n_ones < n:
        coder.encode_reverse(bits.astype(np.int32), _bernoulli(n, n_ones))
    return {"n_ones": count_to_bytes(n_ones), "words": words_of(coder)}


def decode_bernoulli(streams: Streams, n: int, prefix: str = "") -> Bool[np.ndarray, " n"]:
    """The `n` bits whose streams `encode_bernoulli` made, found under `prefix` + name.

    Raises:
        ValueError: a stream is missing or malformed, or `words` does not decode to `n_ones` ones exactly.
    """
    n_ones, name = read_count(streams, f"{prefix}n_ones", n), f"{prefix}words"
    coder = read_coder(streams, name)
    bits = np.full(n, n_ones > 0)
    if 0 < n_ones < n:
        bits = coder.decode(_bernoulli(n, n_ones), n).astype(np.bool_)
    if not coder.is_empty() or int(bits.sum()) != n_ones:
        raise ValueError(f"stream {name!r} does not decode to {n_ones} ones in {n} bits")
    return bits


def frequency(n: int, n_ones: int) -> int:
    """A one's share of 2**24: the nearest integer to n_ones / n of it that leaves both symbols possible.

    Needs 0 < n_ones < n.
    """
    nearest = ((n_ones << PRECISION) + n // 2) // n
    return min(max(nearest, 1), (1 << PRECISION) - 1)


def _bernoulli(n: int, n_ones: int) -> Any:
    ones = frequency(n, n_ones)
    return model((1 << PRECISION) - ones, ones)


def model(*frequencies: int) -> Any:
    """constriction's model of symbols 0, 1, ... with exactly these frequencies: 1 or more, their sum 2**24."""
    # constriction gives each symbol one unit and shares the rest by weight. These weights sum to exactly the
    # rest, so the scale is 1.0, nothing is rounded, and the frequencies are the ones wanted.
    return coders.model.Categorical(np.array(frequencies, dtype=np.float64) - 1, perfect=False)


def words_of(coder: Any) -> UInt8[np.ndarray, " bytes"]:
    """The words of an `AnsCoder` in the file's byte order."""
    return coder.get_compressed().astype("<u4").view(np.uint8)


def read_coder(streams: Streams, name: str) -> Any:
    """An `AnsCoder` on the words of the stream called `name`.

    Raises:
        ValueError: as `read_words`.
    """
    return coders.stack.AnsCoder(read_words(streams, name))


def read_words(streams: Streams, name: str) -> UInt32[np.ndarray, " words"]:
    """The coder's words in the stream called `name`.

    Raises:
        ValueError: the stream is missing, or is not what `words_of` writes.
    """
    stream = np.ascontiguousarray(read_stream(streams, name))
    if len(stream) % 4:
        raise ValueError(f"stream {name!r} has {len(stream)} bytes, not a whole number of 32-bit words")
    words = stream.view("<u4").astype(np.uint32)
    if len(words) and not words[-1]:
        raise ValueError(f"stream {name!r} ends in a zero word, which the coder never writes")
    return words


class Ans:
    """Streams `n_ones` and `words`, within a few words of the entropy of the layer's density."""

    id = "ans"
    stream_names = ("n_ones", "words")

    def encode(self, mask: Bool[np.ndarray, "*shape"]) -> Streams:
        return encode_bernoulli(mask.ravel())

    def decode(self, streams: Streams, shape: tuple[int, ...]) -> Bool[np.ndarray, "..."]:
        return decode_bernoulli(streams, prod(shape)).reshape(shape)


MASK_CODECS.register(Ans())
