"""The bit planes of a layer as a device holds them, and their decoding inside jit.

A code that has a decoder here, in a module of its name, stays encoded. The planes of all others are decoded when they
are packed, and held as one bit a weight. So are pruned matrices, of any code, that are held as lists: `listed`.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from xorjax.codec.code import CodeError, EncodedPlanes, Mask
from xorjax.codec.encoded import Encoded
from xorjax.decoding.words import unpack_words
from xorjax.gf2.pack import pack_bits
from xorjax.registry import Registry

Words = Any
"""Arrays of a pytree."""


class Decoder(Protocol):
    """The jit half of a code, of the same `id`.

    A decoder that multiplies without decoding also has

        product(x, planes: PackedPlanes, mask: PackedMask | None, scales) -> y, as jnp.matmul(x, W) but for its rounding
        pays(x_shape, planes, mask, scales) -> bool: whether that can be, and is the faster way

    and one whose words tell which weights are kept

        kept(planes) -> mask

    and one whose words may be those of the transpose too

        transposed(planes) -> PackedPlanes | None
    """

    id: str

    @staticmethod
    def pack(values: EncodedPlanes, mask: Mask | None) -> tuple[Words, Hashable]:
        """The streams as arrays, and what these mean: static, and equal for weights that share a compilation.

        Raises:
            ValueError: as `Code.decode`.
        """
        ...

    @staticmethod
    def decode(planes: "PackedPlanes", mask: Bool[Array, "*shape"] | None) -> Bool[Array, "planes *shape"]:
        """The planes, right wherever the mask is True; pure, and without calls to the host."""
        ...


DECODERS: Registry[Decoder] = Registry("xorjax.decoding", "decoder")
"""All decoders by the id of their code."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class PackedPlanes:
    """The planes of a layer as words.

    Attributes:
        words: arrays; the decoder says what they hold.
        decoder: its id, "" where the planes are held as bits.
        shape: that of a plane.
        n_planes: how many.
        format: what the words mean: hashable.
    """

    words: Words
    decoder: str = field(metadata={"static": True})
    shape: tuple[int, ...] = field(metadata={"static": True})
    n_planes: int = field(metadata={"static": True})
    format: Any = field(metadata={"static": True})

    def __repr__(self) -> str:
        held = "" if self.format is None else f", {self.format}"
        return f"PackedPlanes({self.shape}, {self.n_planes}, {self.decoder or 'bits'}{held})"


def pack(values: EncodedPlanes, mask: Mask | None) -> PackedPlanes:
    """The planes of a layer, whose mask is `mask` (None: all True), for `decode_planes`.

    Raises:
        ValueError: a stream is malformed; it is named.
    """
    decoder = DECODERS.get(values.code.id)
    if decoder is not None:
        words, format = decoder.pack(values, mask)
        return PackedPlanes(words, decoder.id, values.shape, values.n_planes, format)
    planes = values.code.decode(values, mask).reshape(values.n_planes, -1)
    words = jnp.asarray(pack_bits(planes))
    return PackedPlanes(words, "", values.shape, values.n_planes, None)


@jax.jit
def decode_planes(
    planes: PackedPlanes, mask: Bool[Array, "*shape"] | None = None
) -> Bool[Array, "planes *shape"]:
    """The bit planes, right wherever the layer's mask is True."""
    if planes.decoder:
        return DECODERS[planes.decoder].decode(planes, mask)
    n_weights = int(np.prod(planes.shape, dtype=np.int64))
    return unpack_words(planes.words, n_weights).reshape(planes.n_planes, *planes.shape)


def kept(planes: PackedPlanes) -> Bool[Array, "*shape"] | None:
    """The mask, where the words hold it."""
    decoder: Any = DECODERS.get(planes.decoder)
    return decoder.kept(planes) if hasattr(decoder, "kept") else None


def decode(encoded: Encoded) -> Bool[Array, "*shape"]:
    """The bit plane of `encoded`, decoded on the default device from its streams.

    Not inside jit: `encoded` is read on the host. A `CodedWeight` decodes inside.

    Raises:
        CodeError: it is not what `encode` returns.
    """
    if not isinstance(encoded, Encoded):
        raise CodeError(
            f"decode takes what `encode` returns, not a {type(encoded).__name__}; a coded weight has w.to_array(), and "
            "a layer xorjax.container.decode_weights(layer)"
        )
    return decode_planes(pack(encoded.planes, encoded.care), jnp.asarray(encoded.care))[0]
