"""A weight of any shape that is held as code words and decoded at each use, and what layers with one share."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Float32

from xorjax.codec.xor import Encoded
from xorjax.decode.lookup import PlaneWords, build_tables, decode_plane, pack_plane, unpack_words
from xorjax.gf2.pack import pack_bits


class XorPlane(nnx.Module):
    """One bit plane as its packed streams."""

    def __init__(self, encoded: Encoded):
        words, self.layout = pack_plane(encoded)
        self.codes = nnx.Variable(words.codes)
        self.counts = nnx.Variable(words.counts)
        self.positions = nnx.Variable(words.positions)

    def __call__(self, tables: Array) -> Bool[Array, "*shape"]:
        words = PlaneWords(self.codes[...], self.counts[...], self.positions[...])
        return decode_plane(words, tables, self.layout)


class XorKernel(nnx.Module):
    """`mask * sum_q scales[q] * (2 bits[q] - 1)`, decoded at each call.

    Its state is packed integers and the scales: no float weight, and nothing trainable.
    """

    def __init__(
        self,
        planes: Sequence[Encoded],
        mask: Bool[np.ndarray, "*shape"],
        scales: Float32[np.ndarray, "planes ..."],
    ):
        """Takes a compressed weight apart; `scales[q]` broadcasts over plane q.

        Raises:
            ValueError: the planes' number, shapes or XOR networks do not go together.
        """
        if len(planes) == 0 or len(planes) != len(scales):
            raise ValueError(
                f"{len(planes)} bit planes and {len(scales)} scales; one of each, or more, is needed"
            )
        for encoded in planes:
            if encoded.shape != mask.shape:
                raise ValueError(f"a bit plane of shape {encoded.shape} under a mask of shape {mask.shape}")
            if encoded.net != planes[0].net:
                raise ValueError("the bit planes of a layer share one XOR network")
        self.shape = mask.shape
        self.planes = nnx.List([XorPlane(encoded) for encoded in planes])
        self.tables = nnx.Variable(build_tables(planes[0].net))
        self.mask = nnx.Variable(jnp.asarray(pack_bits(mask.reshape(-1))))
        self.scales = nnx.Variable(jnp.asarray(scales))

    def __call__(self) -> Float[Array, "*shape"]:
        """The decoded weight, equal to the quantized one bit for bit."""
        tables, scales = self.tables[...], self.scales[...]
        total = jnp.zeros(self.shape, scales.dtype)
        for plane, scale in zip(self.planes, scales, strict=True):
            total += jnp.where(plane(tables), scale, -scale)
        mask = unpack_words(self.mask[...][None], math.prod(self.shape)).reshape(self.shape)
        return jnp.where(mask, total, jnp.zeros((), scales.dtype))


class XorLayer(nnx.Module):
    """A layer with an `XorKernel` and a bias: no float weight, and nothing trainable."""

    def __init__(
        self,
        planes: Sequence[Encoded],
        mask: Bool[np.ndarray, "*shape"],
        scales: Float32[np.ndarray, "planes ..."],
        bias: Float[Array, " fan_out"] | Float[np.ndarray, " fan_out"] | None = None,
    ):
        """Takes a compressed layer apart; `scales[q]` broadcasts over plane q.

        Raises:
            ValueError: as for `XorKernel`.
        """
        self.kernel = XorKernel(planes, mask, scales)
        self.bias = None if bias is None else nnx.Variable(jnp.asarray(bias))
