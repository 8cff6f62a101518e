"""What a file holds: compressed layers, parameters left as they are, and a few strings about the whole.

A layer's planes and weights are decoded in NumPy. Its bits are counted from the bytes that `save` writes, never from a
formula.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Float32

from xorjax.codec.code import Code, EncodedPlanes
from xorjax.codec.weights import weigh
from xorjax.container.format import SCALES, ContainerError, layer_tensor
from xorjax.container.narrow import narrow
from xorjax.container.tensors import DTYPES, check_name, check_text
from xorjax.errors import about
from xorjax.masks.base import EncodedMask, bits_to_bytes
from xorjax.settings import problems
from xorjax.streams import BIT_STREAMS

if TYPE_CHECKING:
    from xorjax.weights import CodedWeight


@dataclass(frozen=True, eq=False)
class CompressedLayer:
    """One quantized weight array, pruned or not: mask * sum over planes of scale * (2 * bit - 1).

    Attributes:
        name: the parameter's path, such as "fc1/kernel".
        values: the bit planes in their code.
        index: the mask as it is stored; None where every weight is kept.
        scales: float32, float16 or bfloat16; one array a plane, broadcastable over the weights: (planes, 1, 500) for a
            scale an output.

    Raises:
        ContainerError: no tensor can have the name, the parts do not fit each other, a setting of the code is out of
            range, a scale is not finite or of another dtype, or the mask's streams are malformed.
    """

    name: str
    values: EncodedPlanes
    index: EncodedMask | None
    scales: Float[np.ndarray, "planes *bcast"]

    def __post_init__(self):
        with about("layer", ContainerError):
            check_name(self.name)
        for problem in self._problems():
            raise ContainerError(f"layer {self.name!r}: {problem}")

    def _problems(self) -> Iterator[str]:
        if self.values.n_planes < 1:
            yield "it has no bit plane"
        yield from problems(self.code)
        yield from self.values.misfits(None if self.index is None else self.index.shape, self.scales.shape)
        if self.scales.dtype not in {DTYPES[id] for id in SCALES}:
            yield f"its scales are {self.scales.dtype}, expected one of {', '.join(SCALES)}"
        if not np.isfinite(self.scales.astype(np.float32)).all():
            yield "a scale is not finite"

    def __repr__(self) -> str:
        mask = "no mask" if self.index is None else f"mask {self.index.codec!r}"
        rate = sum(layer_bits(self).values()) / self.n_weights
        return f"CompressedLayer({self.name!r}, {self.shape}, {self.code}, {mask}, {rate:.4f} bits/weight)"

    @property
    def code(self) -> Code:
        return self.values.code

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)

    @property
    def n_weights(self) -> int:
        return self.values.n_weights

    @cached_property
    def mask(self) -> Bool[np.ndarray, "..."]:
        """True = kept; all True where no mask is stored. Read-only."""
        return np.broadcast_to(np.True_, self.shape) if self.index is None else self.index.mask

    @property
    def plane_names(self) -> list[str]:
        """The planes' names in files and messages, such as "layers/fc1/kernel/planes/0"."""
        return [layer_tensor(self.name, f"planes/{index}") for index in range(self.values.n_planes)]


@dataclass(frozen=True, eq=False)
class CompressedModel:
    """One file's content.

    Attributes:
        layers: the compressed layers by name.
        params: arrays by path, stored as they are; `container.tensors.Raw` where NumPy lacks the dtype. Those of a
            checkpoint are read when they are asked for.
        metadata: strings about the whole, such as the model's id.

    Raises:
        ContainerError: a key differs from its layer's name, a path is both a layer and a parameter, or no file can
            hold a name or a string of the metadata.
    """

    layers: dict[str, CompressedLayer]
    params: Mapping[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        for name, layer in self.layers.items():
            if name != layer.name:
                raise ContainerError(f"layer {layer.name!r} is filed under {name!r}")
        for name in self.layers.keys() & self.params.keys():
            raise ContainerError(f"{name!r} is both a compressed layer and a parameter")
        check_params(self.params, self.metadata, ContainerError)

    def __repr__(self) -> str:
        n_weights = sum(layer.n_weights for layer in self.layers.values())
        rate = f" of {sum(bits(self).values()) / n_weights:.4f} bits/weight" if n_weights else ""
        return f"CompressedModel(layers {_listed(self.layers)}{rate}, params {_listed(self.params)})"

    @property
    def n_parameters(self) -> int:
        """All values that it holds: weights of the layers, pruned ones included, and parameters of whatever kind."""
        n_weights = sum(layer.n_weights for layer in self.layers.values())
        return n_weights + sum(prod(array.shape) for array in self.params.values())

    @cached_property
    def weights(self) -> "Mapping[str, CodedWeight]":
        """The layers as weights on the device, each made when it is first asked for and held as it multiplies best."""
        return _Weights(self.layers)

    @cached_property
    def weights_as_code(self) -> "Mapping[str, CodedWeight]":
        """`weights` that all hold their code, none as lists of its kept weights."""
        return _Weights(self.layers, listed=False)


def _listed(names: Mapping[str, object], most: int = 8) -> str:
    more = f", ... ({len(names)})" if len(names) > most else ""
    return f"{', '.join(list(names)[:most])}{more}" if names else "none"


def check_params(params: Iterable[str], metadata: Mapping[str, str], error: type[ValueError]) -> None:
    """Whether a file can hold parameters of these names, and these strings; before anything is encoded.

    Raises:
        ValueError: it cannot, as an `error`; the message names the parameter or the key.
    """
    for name in params:
        with about("tensor", error):
            check_name(name)
    if not isinstance(metadata, Mapping):
        raise error(f"metadata is a {type(metadata).__name__}, expected strings by name")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise error(f"metadata: {key!r} is {value!r}, expected a string")
        with about("metadata", error):
            check_text(key)
            check_text(value)


class _Weights(Mapping[str, "CodedWeight"]):
    def __init__(self, layers: Mapping[str, CompressedLayer], listed: bool = True):
        self._layers, self._listed, self._made = layers, listed, {}

    def __repr__(self) -> str:
        return f"Weights(layers {_listed(self._layers)})"

    def __getitem__(self, name: str) -> "CodedWeight":
        # Imported when used: importing jax takes a second, and reading a file does not need it.
        from xorjax.weights import CodedWeight

        layer = self._layers[name]
        if name not in self._made:
            self._made[name] = CodedWeight.of(layer.values, layer.index, layer.scales, self._listed)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)


def plane_sha256(bits: Bool[np.ndarray, "*shape"]) -> str:
    """SHA-256, in hex, over a decoded plane: row-major bits, eight a byte, least significant bit first.

    All bits count, those of pruned weights too, as the code gives them.
    """
    return hashlib.sha256(bits_to_bytes(bits.reshape(-1)).data).hexdigest()


def decode_planes(layer: CompressedLayer) -> Bool[np.ndarray, "planes ..."]:
    """The layer's bit planes; what they hold where the mask is False depends on the code.

    Raises:
        ValueError: a stream is malformed; it is named.
    """
    return layer.code.decode(layer.values, None if layer.index is None else layer.index.mask)


def decode_weights(layer: CompressedLayer) -> Float32[np.ndarray, "..."]:
    """The layer's weights in float32: mask * sum over planes, in order, of scale * (2 * bit - 1)."""
    mask = None if layer.index is None else layer.mask
    return weigh(decode_planes(layer), layer.scales.astype(np.float32), mask)


def layer_bits(layer: CompressedLayer) -> dict[str, int]:
    """The layer's bits: code words, patches (counts and positions), mask and scales.

    What layers have in common, such as a matrix that no seed gives, is not among them: it is stored once. Nor is the
    header: see `file_bytes`.
    """
    index = {} if layer.index is None else layer.index.nbits
    counts = {
        **layer.values.bits,
        "index_bits": sum(index.values()),
        "scale_bits": 8 * narrow(layer.scales)[0].nbytes,
    }
    return {kind: counts[kind] for kind in BIT_STREAMS}


def bits(model: CompressedModel) -> dict[str, int]:
    """The sums of `layer_bits` over the compressed layers."""
    counts = [layer_bits(layer) for layer in model.layers.values()]
    return {kind: sum(count[kind] for count in counts) for kind in BIT_STREAMS}
