"""Streams and rows of bits held as little-endian 32-bit words, and their reading by shifts inside jit."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, UInt8, UInt32


def as_words(stream: UInt8[np.ndarray, " bytes"]) -> UInt32[Array, " words"]:
    """The bytes of a stream as words, with a zero word after their end."""
    padded = np.zeros(4 * (-(-len(stream) // 4) + 1), dtype=np.uint8)
    padded[: len(stream)] = stream
    return jnp.asarray(padded.view("<u4").astype(np.uint32))


def read_fields(
    words: UInt32[Array, " words"], offsets: UInt32[Array, " k"], widths: UInt32[Array, "#k"]
) -> UInt32[Array, " k"]:
    """Fields of `widths` bits (0 to 32) that begin at bit `offsets` of `words`, by shifts of two words."""
    word, bit = offsets >> 5, offsets & 31
    # The high word and the mask move in two steps, since a shift by 32 is undefined.
    field = (words[word] >> bit) | ((words[word + 1] << (31 - bit)) << 1)
    half = widths >> 1
    return field & ~((jnp.uint32(0xFFFFFFFF) << half) << (widths - half))


def unpack_words(words: UInt32[Array, "rows words"], n: int) -> Bool[Array, "rows {n}"]:
    """The first `n` bits of each row of words."""
    bits = (words[:, :, None] >> jnp.arange(32, dtype=jnp.uint32)[None, None, :]) & 1
    return bits.astype(bool).reshape(len(words), -1)[:, :n]


def pack_words(bits: Bool[Array, "rows n"]) -> UInt32[Array, "rows words"]:
    """Rows of bits packed: bit i of a row is bit i % 32 of its word i // 32; the last word's tail is zero."""
    padded = jnp.pad(bits, ((0, 0), (0, -bits.shape[1] % 32)))
    bits = padded.reshape(len(bits), -1, 32).astype(jnp.uint32)
    return (bits << jnp.arange(32, dtype=jnp.uint32)[None, None, :]).sum(axis=2, dtype=jnp.uint32)
