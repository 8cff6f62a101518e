"""One layer: its mask, its bit planes, its code. A tile at a time, so that no second copy of the weights is made."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from xorjax.codec.layout import to_slices
from xorjax.codec.xor import Encoded, encode
from xorjax.compression.binarize import binarize
from xorjax.compression.select import Weights, check_finite, keep_largest
from xorjax.compression.spec import CompressSpec
from xorjax.container import CompressedLayer
from xorjax.container.planes import decode_plane
from xorjax.gf2.network import XorNetwork
from xorjax.masks import EncodedMask, encode_mask, fit_mask, get_mask_codec
from xorjax.masks.base import n_kept

TILE = 1 << 22

HearFraction = Callable[[float], None]
"""Is told, now and then, which fraction of a layer is done."""


def compress_layer(
    weights: Weights, spec: CompressSpec, tell: HearFraction = lambda done: None
) -> CompressedLayer:
    """Prunes, binarizes and encodes one tensor.

    Raises:
        ValueError: the tensor has fewer than two dimensions or no weight, or one that is not finite; its mask is
            missing, is not boolean or has another shape. The message names the tensor.
    """
    check_shape(weights.name, weights.shape)
    check_finite(weights)
    index = _index(weights, spec)
    tell(0.2)
    planes, scales = binarize(weights, index.mask, spec.n_planes, spec.scale)
    tell(0.4)
    return encode_planes(weights.name, planes, index, scales, spec, lambda done: tell(0.4 + 0.6 * done))


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Whether a tensor of this shape can be compressed.

    Raises:
        ValueError: it cannot; the message names the tensor.
    """
    if len(shape) < 2 or prod(shape) == 0:
        raise ValueError(
            f"tensor {name!r} has shape {list(shape)}, expected 2 dimensions or more and a weight at least: narrow "
            "--layers (CompressSpec.layers), or --skip it"
        )


def encode_planes(
    name: str,
    planes: Bool[np.ndarray, "planes *shape"],
    index: EncodedMask,
    scales: Float32[np.ndarray, "planes ..."],
    spec: CompressSpec,
    tell: HearFraction = lambda done: None,
) -> CompressedLayer:
    """The layer of these bit planes under this mask; each plane is decoded again and compared.

    Raises:
        ValueError: `spec.n_out` is out of range for the XOR network.
    """
    n_out = spec.n_out
    if n_out is None:
        from xorjax.codec.predict import choose_n_out

        n_out = choose_n_out(
            spec.n_in,
            index.mask,
            method=spec.method,
            patch_format=spec.patch_format,
            patch_block=spec.patch_block,
            layout=spec.layout,
            layout_seed=spec.layout_seed,
        )
    net, encoded = draw_network(spec.n_in, n_out, spec.seed), []
    for i, plane in enumerate(planes):
        told = partial(_tell_part, tell, i, len(planes))
        encoded.append(encode_in_tiles(plane, index.mask, net, spec, told))
        if (decode_plane(encoded[i]) ^ plane)[index.mask].any():
            raise RuntimeError(
                f"tensor {name!r}: plane {i} does not decode to what was encoded, which is a bug"
            )
    tell(1.0)
    return CompressedLayer(name, tuple(encoded), index, scales)


def _tell_part(tell: HearFraction, part: int, parts: int, done: float) -> None:
    tell((part + 0.9 * done) / parts)


@lru_cache(maxsize=64)
def draw_network(n_in: int, n_out: int, seed: int) -> XorNetwork:
    """`XorNetwork.random`, drawn once for all layers that share it."""
    return XorNetwork.random(n_in, n_out, seed)


def encode_in_tiles(
    bits: Bool[np.ndarray, "*shape"],
    care: Bool[np.ndarray, "*shape"],
    net: XorNetwork,
    spec: CompressSpec,
    tell: HearFraction = lambda done: None,
) -> Encoded:
    """What `encode` gives, a run of slices at a time: no more memory than the plane's and mask's slices."""
    settings = (spec.layout, spec.layout_seed)
    slices, of_care = to_slices(bits, net.n_out, *settings), to_slices(care, net.n_out, *settings)
    step = max(1, TILE // net.n_out)
    parts = []
    for begin in range(0, len(slices), step):
        tile, mask = (part[begin : begin + step].reshape(-1) for part in (slices, of_care))
        parts.append(encode(tile, mask, net, spec.method, "paper", 1))
        tell(min(1.0, (begin + step) / len(slices)))
    codes, n_patches, positions = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("codes", "n_patches", "patch_positions")
    )
    n_bounded = sum(part.n_bounded for part in parts)
    del slices, of_care, tile, mask, parts  # what follows needs the room
    encoded = Encoded(
        shape=bits.shape,
        net=net,
        method=spec.method,
        patch_format=spec.patch_format,
        patch_block=spec.patch_block,
        codes=codes,
        n_patches=n_patches,
        patch_positions=positions,
        layout=spec.layout,
        layout_seed=spec.layout_seed,
        care=care,
        n_bounded=n_bounded,
    )
    # The streams are made while the places of the care bits are at hand; those take 8 bytes each, and are let go.
    _ = encoded.streams
    vars(encoded).pop("care_slices", None)
    return encoded


def relative_error(weights: Weights, layer: CompressedLayer) -> float:
    """||W - W'|| / ||W||, W' being what the layer decodes to; 0 where W is zero."""
    planes = [decode_plane(plane).reshape(-1) for plane in layer.planes]
    mask, square, total = layer.mask.reshape(-1), 0.0, 0.0
    for where, tile in weights.tiles():
        decoded = np.zeros(len(tile), np.float32)
        for plane, scale in zip(planes, layer.scales, strict=True):
            full = np.broadcast_to(scale, weights.shape).flat[where]
            decoded += np.where(plane[where], full, -full)
        left = tile - decoded * mask[where]
        square += float(np.dot(left.astype(np.float64), left))
        total += float(np.dot(tile.astype(np.float64), tile))
    return (square / total) ** 0.5 if total else 0.0


def _index(weights: Weights, spec: CompressSpec) -> EncodedMask:
    if not get_mask_codec(spec.mask_codec).exact:
        return _named(weights.name, lambda: _fitted(weights, spec))
    if spec.masks is None:
        assert spec.prune_rate is not None
        mask = keep_largest(weights, n_kept(weights.size, spec.prune_rate))
    else:
        mask = given_mask(weights, spec.masks)
        if isinstance(stored := spec.masks[weights.name], EncodedMask):
            return stored
    return _named(weights.name, lambda: encode_mask(mask, spec.mask_codec))


def _fitted(weights: Weights, spec: CompressSpec) -> EncodedMask:
    assert spec.prune_rate is not None
    scores = np.empty(weights.size, np.float32)
    for where, tile in weights.tiles():
        np.abs(tile, out=scores[where])
    return fit_mask(scores.reshape(weights.shape), spec.prune_rate, spec.mask_codec, **spec.mask_options)


def given_mask(weights: Weights, masks: Mapping[str, np.ndarray | EncodedMask]) -> Bool[np.ndarray, "..."]:
    """The layer's mask out of those given: booleans, or bytes of 0 and 1.

    Raises:
        ValueError: it is missing, has another shape, holds something else or keeps nothing.
    """
    check_mask(weights.name, weights.shape, masks)
    given = masks[weights.name]
    mask = given.mask if isinstance(given, EncodedMask) else np.asarray(given)
    if mask.dtype == np.uint8 and (mask > 1).any():
        raise ValueError(f"tensor {weights.name!r}: its mask is uint8, expected booleans or bytes of 0 and 1")
    if not mask.any():
        raise ValueError(f"tensor {weights.name!r}: its mask keeps no weight, expected one at least")
    return mask.astype(np.bool_)


def check_mask(name: str, shape: tuple[int, ...], masks: Mapping[str, Any]) -> None:
    """Looks at the mask's shape and dtype and not at its values.

    Raises:
        ValueError: as `given_mask`.
    """
    if name not in masks:
        raise ValueError(f"tensor {name!r} has no mask; there are {', '.join(sorted(masks)[:8])}")
    given = masks[name]
    if tuple(given.shape) != shape:
        raise ValueError(f"tensor {name!r}: its mask has shape {list(given.shape)}, expected {list(shape)}")
    if not isinstance(given, EncodedMask) and given.dtype not in (np.bool_, np.uint8):
        raise ValueError(f"tensor {name!r}: its mask is {given.dtype}, expected booleans or bytes of 0 and 1")


def _named(name: str, make: Callable[[], EncodedMask]) -> EncodedMask:
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise ValueError(f"tensor {name!r}: {error}") from error
