"""What a file holds: compressed layers, parameters left as they are, and a few strings about the whole."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32

from xorjax.codec.xor import Encoded
from xorjax.container.format import MAX_LAYOUT_SEED, MAX_PATCH_BLOCK, layer_tensor
from xorjax.gf2.network import XorNetwork
from xorjax.masks.base import EncodedMask


@dataclass(frozen=True, eq=False)
class CompressedLayer:
    """One pruned and quantized weight array: mask * sum over planes of scale * (2 * bit - 1).

    Attributes:
        name: the parameter's path, such as "fc1/kernel".
        planes: the encoded bit planes, all with one XOR network and the same settings; their care is the mask.
        index: the mask as it is stored.
        scales: one array a plane, broadcastable over the weights: (planes, 1, 500) for a scale an output.

    Raises:
        ValueError: the parts do not fit each other, a scale is not finite, or the mask's streams are malformed.
    """

    name: str
    planes: tuple[Encoded, ...]
    index: EncodedMask
    scales: Float32[np.ndarray, "planes *bcast"]

    def __post_init__(self):
        if not self.planes:
            raise ValueError(f"layer {self.name!r} has no bit plane")
        for index, plane in enumerate(self.planes):
            if tuple(plane.shape) != self.shape:
                raise ValueError(
                    f"layer {self.name!r}: plane {index} has shape {plane.shape}, not {self.shape}"
                )
            if plane.net != self.net or _settings(plane) != _settings(self.planes[0]):
                raise ValueError(f"layer {self.name!r}: plane {index} is encoded otherwise than plane 0")
            if plane.care is not self.mask and not np.array_equal(plane.care, self.mask):
                raise ValueError(f"layer {self.name!r}: plane {index} was encoded under another mask")
        if self.planes[0].patch_block > MAX_PATCH_BLOCK:
            raise ValueError(
                f"layer {self.name!r}: patch_block is {self.planes[0].patch_block}, over {MAX_PATCH_BLOCK}"
            )
        if self.planes[0].layout_seed > MAX_LAYOUT_SEED:
            raise ValueError(
                f"layer {self.name!r}: layout_seed is {self.planes[0].layout_seed}, over {MAX_LAYOUT_SEED}"
            )
        wanted = (len(self.planes), *self.shape)
        fits = len(self.scales.shape) == len(wanted) and self.scales.shape[0] == wanted[0]
        if not fits or any(
            size not in (1, full) for size, full in zip(self.scales.shape, wanted, strict=True)
        ):
            raise ValueError(
                f"layer {self.name!r}: scales of shape {self.scales.shape} do not broadcast over {wanted}"
            )
        if not np.isfinite(self.scales).all():
            raise ValueError(f"layer {self.name!r}: a scale is not finite")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.index.shape)

    @property
    def mask(self) -> Bool[np.ndarray, "..."]:
        """True = kept."""
        return self.index.mask

    @property
    def net(self) -> XorNetwork:
        return self.planes[0].net

    @property
    def n_weights(self) -> int:
        return self.index.n_weights


@dataclass(frozen=True, eq=False)
class CompressedModel:
    """One file's content.

    Attributes:
        layers: the compressed layers by name.
        params: arrays by path, stored as they are: floats, integers or booleans.
        metadata: strings about the whole, such as the model's id.

    Raises:
        ValueError: a key differs from its layer's name, or a path is both a layer and a parameter.
    """

    layers: dict[str, CompressedLayer]
    params: dict[str, np.ndarray] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        for name, layer in self.layers.items():
            if name != layer.name:
                raise ValueError(f"layer {layer.name!r} is filed under {name!r}")
        for name in self.layers.keys() & self.params.keys():
            raise ValueError(f"{name!r} is both a compressed layer and a parameter")

    @property
    def networks(self) -> tuple[XorNetwork, ...]:
        """The distinct networks, in the order in which the layers, sorted by name, first use them."""
        return tuple(dict.fromkeys(self.layers[name].net for name in sorted(self.layers)))

    @property
    def planes(self) -> dict[str, Encoded]:
        """Every plane by its tensors' common name, such as "layers/fc1/kernel/planes/0"."""
        return {
            layer_tensor(name, f"planes/{index}"): plane
            for name, layer in self.layers.items()
            for index, plane in enumerate(layer.planes)
        }


def _settings(plane: Encoded) -> tuple[str, str, int, str, int]:
    return plane.method, plane.patch_format, plane.patch_block, plane.layout, plane.layout_seed
