"""A weight of any shape that is held as code words and decoded at each use, and what layers with one share."""

from collections.abc import Sequence
from typing import TypeVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Float32

from xorjax.codec.xor import Encoded
from xorjax.container import CompressedLayer
from xorjax.decode.lookup import build_tables, decode_plane, pack_plane
from xorjax.decode.masks import decode_mask, pack_mask
from xorjax.masks import EncodedMask, encode_mask

Layer = TypeVar("Layer", bound="XorLayer")


class XorPlane(nnx.Module):
    """One bit plane as its packed streams."""

    def __init__(self, encoded: Encoded):
        words, self.layout = pack_plane(encoded)
        self.words = nnx.Variable(words)

    def __call__(self, tables: Array, mask: Bool[Array, "*shape"]) -> Bool[Array, "*shape"]:
        used = mask if self.layout.needs_mask else None
        return decode_plane(self.words.get_value(), tables, self.layout, used)


class XorKernel(nnx.Module):
    """`mask * sum_q scales[q] * (2 bits[q] - 1)`, decoded at each call.

    Its state is packed integers and the scales: no float weight, and nothing trainable. A mask whose codec
    decodes inside jit stays compressed too; others are held as a bitmap (`decode.masks`).
    """

    def __init__(
        self,
        planes: Sequence[Encoded],
        mask: EncodedMask | Bool[np.ndarray, "*shape"],
        scales: Float32[np.ndarray, "planes ..."],
    ):
        """Takes a compressed weight apart; `scales[q]` broadcasts over plane q.

        Raises:
            ValueError: the planes' number, masks or XOR networks do not go together.
        """
        if len(planes) == 0 or len(planes) != len(scales):
            raise ValueError(
                f"{len(planes)} bit planes and {len(scales)} scales; one of each, or more, is needed"
            )
        index = mask if isinstance(mask, EncodedMask) else encode_mask(mask, "bitmap")
        for encoded in planes:
            if encoded.shape != index.shape:
                raise ValueError(f"a bit plane of shape {encoded.shape} under a mask of shape {index.shape}")
            if not np.array_equal(encoded.care, index.mask):
                raise ValueError("a bit plane was encoded under another mask")
            if encoded.net != planes[0].net:
                raise ValueError("the bit planes of a layer share one XOR network")
        self.planes = nnx.List([XorPlane(encoded) for encoded in planes])
        self.tables = nnx.Variable(build_tables(planes[0].net))
        words, self.mask_layout = pack_mask(index)
        self.mask = nnx.Variable(words)
        self.scales = nnx.Variable(jnp.asarray(scales))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.mask_layout.shape

    def __call__(self) -> Float[Array, "*shape"]:
        """The decoded weight, equal to the quantized one bit for bit."""
        tables, scales = self.tables[...], self.scales[...]
        mask = decode_mask(self.mask.get_value(), self.mask_layout)
        total = jnp.zeros(self.shape, scales.dtype)
        for plane, scale in zip(self.planes, scales, strict=True):
            total += jnp.where(plane(tables, mask), scale, -scale)
        return jnp.where(mask, total, jnp.zeros((), scales.dtype))


class XorLayer(nnx.Module):
    """A layer with an `XorKernel` and a bias: no float weight, and nothing trainable."""

    def __init__(
        self,
        planes: Sequence[Encoded],
        mask: EncodedMask | Bool[np.ndarray, "*shape"],
        scales: Float32[np.ndarray, "planes ..."],
        bias: Float[Array, " fan_out"] | Float[np.ndarray, " fan_out"] | None = None,
    ):
        """Takes a compressed layer apart; `scales[q]` broadcasts over plane q.

        Raises:
            ValueError: as for `XorKernel`.
        """
        self.kernel = XorKernel(planes, mask, scales)
        self.bias = None if bias is None else nnx.Variable(jnp.asarray(bias))

    @classmethod
    def from_layer(
        cls: type[Layer],
        layer: CompressedLayer,
        bias: Float[Array, " fan_out"] | Float[np.ndarray, " fan_out"] | None = None,
    ) -> Layer:
        """The layer of a compressed one, as `xorjax.load` gives it."""
        return cls(layer.planes, layer.index, layer.scales, bias)
