"""Signs of the kept weights inside jit: a kept weight's bit is found by counting the kept ones before it."""

from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt32

from xorjax.codec.code import EncodedPlanes, Mask
from xorjax.decoding.planes import DECODERS, PackedPlanes
from xorjax.decoding.words import as_words, pack_words, stack, unpack_words


@DECODERS.register
class SignsDecoder:
    """Words: each plane's stream."""

    id = "signs"

    @staticmethod
    def pack(values: EncodedPlanes, mask: Mask | None) -> tuple[UInt32[Array, "planes words"], None]:
        values.code.decode(values, mask)  # It refuses malformed streams.
        return stack([as_words(values.streams[f"{p}/signs"]) for p in range(values.n_planes)]), None

    @staticmethod
    def decode(planes: PackedPlanes, mask: Bool[Array, "*shape"] | None) -> Bool[Array, "planes *shape"]:
        n = prod(planes.shape)
        if mask is None:
            return unpack_words(planes.words, n).reshape(planes.n_planes, *planes.shape)
        rows = jnp.pad(mask.reshape(-1), (0, -n % 32)).reshape(-1, 32)
        kept = pack_words(rows)
        of_word = jax.lax.population_count(kept)
        before = jnp.cumsum(of_word, axis=0, dtype=jnp.uint32) - of_word
        lower = (jnp.uint32(1) << jnp.arange(32, dtype=jnp.uint32)) - 1
        place = (before + jax.lax.population_count(kept & lower[None])).reshape(-1)[:n]
        signs = (planes.words[:, place >> 5] >> (place & 31)[None]) & 1
        return signs.astype(bool).reshape(planes.n_planes, *planes.shape)
