"""Streams and rows of bits as little-endian 32-bit words: packed in NumPy, read by shifts inside jit."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Shaped, UInt8, UInt32

_STEPS = 4
_LEAST = 64


def coarse(n: int) -> int:
    """`n` rounded up, so that arrays of about one length share a compilation: to 64, then 4 steps an octave; 0 is 0."""
    if n == 0:
        return 0
    n = max(n, _LEAST)
    step = 1 << (n - 1).bit_length() - _STEPS.bit_length()
    return -(-n // step) * step


def as_words(stream: UInt8[np.ndarray, " bytes"], room: bool = True) -> UInt32[np.ndarray, " words"]:
    """The bytes of a stream as words, and a zero word after their end; with `room`, up to a coarse length."""
    n_words = -(-len(stream) // 4) + 1
    words = np.zeros(coarse(n_words) if room else n_words, dtype="<u4")
    words.view(np.uint8)[: len(stream)] = stream
    return words.astype(np.uint32, copy=False)


def stack(arrays: Sequence[Shaped[np.ndarray, "..."]]) -> Shaped[Array, "..."]:
    """Arrays of one rank along a new first axis, padded with zeros at their ends to the largest."""
    sizes = np.max([array.shape for array in arrays], axis=0)
    padded = [
        np.pad(array, [(0, most - n) for n, most in zip(array.shape, sizes, strict=True)]) for array in arrays
    ]
    return jnp.asarray(np.stack(padded))


def read_fields(
    words: UInt32[Array, " words"], offsets: UInt32[Array, " k"], widths: UInt32[Array, "#k"]
) -> UInt32[Array, " k"]:
    """Fields of `widths` bits (0 to 32) that begin at bit `offsets` of `words`, by shifts of two words."""
    word, bit = offsets >> 5, offsets & 31
    # The high word and the mask move in two steps, since a shift by 32 is undefined.
    field = (words[word] >> bit) | ((words[word + 1] << (31 - bit)) << 1)
    half = widths >> 1
    return field & ~((jnp.uint32(0xFFFFFFFF) << half) << (widths - half))


def one_width(width: int) -> UInt32[Array, " 1"]:
    """`read_fields`' widths where all fields have one."""
    return jnp.full(1, width, dtype=jnp.uint32)


def unpack_words(words: UInt32[Array, "*rows words"], n: int) -> Bool[Array, "*rows {n}"]:
    """The first `n` bits of each row of words."""
    shifts = jnp.arange(32, dtype=jnp.uint32).reshape((1,) * words.ndim + (32,))
    bits = ((words[..., None] >> shifts) & 1).astype(bool)
    return bits.reshape(*words.shape[:-1], -1)[..., :n]


def pack_words(bits: Bool[Array, "rows n"]) -> UInt32[Array, "rows words"]:
    """Rows of bits packed: bit i of a row is bit i % 32 of its word i // 32; the last word's tail is zero."""
    padded = jnp.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    bits = padded.reshape(len(bits), -1, 32).astype(jnp.uint32)
    return (bits << jnp.arange(32, dtype=jnp.uint32)[None, None, :]).sum(axis=2, dtype=jnp.uint32)
