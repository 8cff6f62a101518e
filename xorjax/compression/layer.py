"""One layer: its mask, its bit planes, its code. A tile at a time, so that no second copy of the weights is made."""

from collections.abc import Mapping
from math import hypot, prod
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

from xorjax.codec.code import Code, Tell
from xorjax.codec.weights import weigh
from xorjax.compression.errors import CompressError
from xorjax.compression.spec import CompressSpec
from xorjax.container import CompressedLayer
from xorjax.container.model import decode_planes
from xorjax.errors import about
from xorjax.masks import EXACT_CODECS, EncodedMask, encode_mask, fit_mask
from xorjax.masks.base import n_kept
from xorjax.prune.largest import keep_largest
from xorjax.quantize.binarize import least_squares, nearest, project
from xorjax.tiles import TILE, Weights


def compress_layer(weights: Weights, spec: CompressSpec, tell: Tell = lambda done: None) -> CompressedLayer:
    """Prunes, binarizes and encodes one tensor, with what `spec` says for it.

    Raises:
        CompressError: the tensor has fewer than two dimensions or no weight, or one that is not finite; its mask is
            missing, is not boolean or has another shape; or a scale does not fit the dtype. The message names the
            tensor.
    """
    check_shape(weights.name, weights.shape)
    check_finite(weights)
    spec = spec.for_layer(weights.name)
    index = _index(weights, spec)
    tell(0.2)
    mask = np.ones(weights.shape, np.bool_) if index is None else index.mask
    settings = (weights, mask, spec.n_planes, spec.scale)
    if spec.code.trained:
        planes, scales = project(*settings, spec.code)
        stored = as_stored(weights.name, scales, spec.scale_dtype)
    else:
        stored = as_stored(weights.name, least_squares(*settings), spec.scale_dtype)
        planes = nearest(weights, mask, stored.astype(np.float32), spec.scale)
    tell(0.4)
    return encode_planes(weights.name, planes, index, stored, spec.code, lambda done: tell(0.4 + 0.6 * done))


def as_stored(
    name: str, scales: Float[np.ndarray, "planes ..."], dtype: str
) -> Float[np.ndarray, "planes ..."]:
    """The scales as a dtype by name.

    Raises:
        CompressError: one becomes infinite, or 0 without being 0, or is so small that devices take it for 0 as
            float32, or those of the planes have a sum that float32 lacks.
    """
    with np.errstate(over="ignore"):
        stored = scales.astype(dtype)
        sums = np.abs(stored.astype(np.float32)).sum(axis=0)
    if ((stored == 0) & (scales != 0)).any() or not np.isfinite(stored.astype(np.float32)).all():
        raise CompressError(f"tensor {name!r}: a scale does not fit {dtype}; scale_dtype float32 holds it")
    smallest = np.finfo(np.float32).smallest_normal
    if ((np.abs(stored.astype(np.float32)) < smallest) & (scales != 0)).any():
        raise CompressError(
            f"tensor {name!r}: a scale is less than {smallest:.3g}, which devices take for 0; expected larger weights"
        )
    if not np.isfinite(sums).all():
        raise CompressError(
            f"tensor {name!r}: the scales of its planes have a sum beyond float32; use fewer planes"
        )
    return stored


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Whether a tensor of this shape can be compressed.

    Raises:
        CompressError: it cannot; the message names the tensor.
    """
    if len(shape) < 2 or prod(shape) == 0:
        raise CompressError(
            f"tensor {name!r} has shape {list(shape)}, expected 2 dimensions or more and a weight at least: narrow "
            "--layers (CompressSpec.layers), or --skip it"
        )


def check_finite(weights: Weights) -> None:
    """Looks at every weight.

    Raises:
        CompressError: one is NaN or infinite (as float32); counts them and gives the first one's index. Or all are 0
            as float32, and some are not.
    """
    count, first, nothing, largest = 0, -1, True, 0.0
    for where, tile in weights.tiles():
        bad = np.flatnonzero(~np.isfinite(tile))
        if len(bad) and first < 0:
            first = where.start + int(bad[0])
        count += len(bad)
        nothing = nothing and not tile.any()
        if nothing:
            largest = max(largest, float(np.abs(weights.read(where.start, where.stop)).max()))
    if count:
        index = [int(i) for i in np.unravel_index(first, weights.shape)]
        what = "1 weight is" if count == 1 else f"{count} weights are"
        raise CompressError(
            f"tensor {weights.name!r}: {what} NaN or infinite as float32 (the first at {index}), expected finite"
        )
    if nothing and largest:
        raise CompressError(
            f"tensor {weights.name!r}: all weights are 0 as float32 (the largest is {largest:g}), expected larger ones"
        )


def encode_planes(
    name: str,
    planes: Bool[np.ndarray, "planes *shape"],
    index: EncodedMask | None,
    scales: Float[np.ndarray, "planes ..."],
    code: Code,
    tell: Tell = lambda done: None,
) -> CompressedLayer:
    """The layer of these bit planes under this mask; they are decoded again and compared.

    Raises:
        UserError: a setting of the code cannot be for this layer.
        RuntimeError: the planes do not decode to what was encoded, which is a bug.
    """
    mask = None if index is None else index.mask
    layer = CompressedLayer(name, code.encode(planes, mask, lambda done: tell(0.9 * done)), index, scales)
    differing = (decode_planes(layer) ^ planes) & layer.mask
    if differing.any():
        raise RuntimeError(
            f"tensor {name!r}: {int(differing.sum())} bits do not decode to what was encoded, which is a bug"
        )
    tell(1.0)
    return layer


def relative_error(weights: Weights, layer: CompressedLayer) -> float:
    """||W - W'|| / ||W||, W being as given, and W' what the layer decodes to with its scales as stored.

    0 where W is zero.
    """
    planes = decode_planes(layer).reshape(layer.values.n_planes, -1)
    scales = np.broadcast_to(layer.scales.astype(np.float32), (len(planes), *weights.shape))
    mask, left, total = layer.mask.reshape(-1), 0.0, 0.0
    for begin in range(0, weights.size, TILE):
        where = slice(begin, min(begin + TILE, weights.size))
        # Not the float32 that was encoded, which may have lost what is too small.
        tile = weights.read(where.start, where.stop).astype(np.float64)
        of_tile = np.stack([scale.flat[where] for scale in scales])
        left = hypot(left, _norm(tile - weigh(planes[:, where], of_tile, mask[where])))
        total = hypot(total, _norm(tile))
    return left / total if total else 0.0


def _norm(values: Float64[np.ndarray, " _"]) -> float:
    """The Euclidean norm, also where the squares are no floats."""
    largest = float(np.abs(values).max())
    return largest * float(np.linalg.norm(values / largest)) if largest else 0.0


def _index(weights: Weights, spec: CompressSpec) -> EncodedMask | None:
    if spec.mask_codec is None:
        return None
    if spec.mask_codec not in EXACT_CODECS:
        return _fitted(weights, spec, spec.mask_codec)
    if spec.masks is None:
        assert spec.prune_rate is not None
        count = n_kept(weights.size, spec.prune_rate)
        mask = keep_largest(weights.magnitudes, weights.size, count).reshape(weights.shape)
    else:
        mask = given_mask(weights, spec.masks)
        if isinstance(stored := spec.masks[weights.name], EncodedMask):
            return stored
    return encode_mask(mask, spec.mask_codec)


def _fitted(weights: Weights, spec: CompressSpec, codec: str) -> EncodedMask:
    assert spec.prune_rate is not None
    scores = np.empty(weights.size, np.float32)
    for where, tile in weights.magnitudes():
        scores[where] = tile
    # An option may not fit the shape, or there may be no such mask at this prune rate.
    with about(f"tensor {weights.name!r}", CompressError):
        return fit_mask(scores.reshape(weights.shape), spec.prune_rate, codec, **spec.mask_options)


def given_mask(weights: Weights, masks: Mapping[str, np.ndarray | EncodedMask]) -> Bool[np.ndarray, "..."]:
    """The layer's mask out of those given: booleans, or bytes of 0 and 1.

    Raises:
        CompressError: it is missing, has another shape, holds something else or keeps nothing.
    """
    check_mask(weights.name, weights.shape, masks)
    given = masks[weights.name]
    mask = given.mask if isinstance(given, EncodedMask) else np.asarray(given)
    if mask.dtype == np.uint8 and (mask > 1).any():
        raise CompressError(
            f"tensor {weights.name!r}: its mask is uint8, expected booleans or bytes of 0 and 1"
        )
    if not mask.any():
        raise CompressError(f"tensor {weights.name!r}: its mask keeps no weight, expected one at least")
    return mask.astype(np.bool_)


def check_mask(name: str, shape: tuple[int, ...], masks: Mapping[str, Any]) -> None:
    """Looks at the mask's shape and dtype and not at its values.

    Raises:
        CompressError: as `given_mask`.
    """
    if name not in masks:
        raise CompressError(f"tensor {name!r} has no mask; there are {', '.join(sorted(masks)[:8])}")
    given = masks[name]
    if tuple(given.shape) != shape:
        raise CompressError(
            f"tensor {name!r}: its mask has shape {list(given.shape)}, expected {list(shape)}"
        )
    if not isinstance(given, EncodedMask) and given.dtype not in (np.bool_, np.uint8):
        raise CompressError(
            f"tensor {name!r}: its mask is {given.dtype}, expected booleans or bytes of 0 and 1"
        )
