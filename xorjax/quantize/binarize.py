"""Binary coding by least squares: a kept weight as the sum over planes of scale times sign.

One plane: the sign, and the mean magnitude (Rastegari et al. 2016). More: started greedily, a plane at a time on
what is left over (Guo et al. 2017), then alternating (Xu et al. 2018): the scales are the least squares fit for the
signs, then each weight takes the nearest of the 2^q sums of the scales, until no scale moves. Neither half-step can
make the squared error larger.

For weights that are not trained on (`xorjax compress`); `binary` has the same in jax, for training and what it stores.
Scales are shared by the whole tensor, by the weights of one index of the last axis ("channel") or of one index of the
first ("row"). A layer's outputs are its last axis in flax (in, out) and its first in torch (out, in).
"""

from collections.abc import Iterator
from math import prod

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from xorjax.codec.code import Code
from xorjax.tiles import Weights

ROUNDS = 20
TOLERANCE = 1e-4

Scales = Float64[np.ndarray, "groups planes"]


def binarize(
    weights: Weights, mask: Bool[np.ndarray, "*shape"], n_planes: int, scale: str
) -> tuple[Bool[np.ndarray, "planes *shape"], Float32[np.ndarray, "planes ..."]]:
    """Bit planes (True = +1, False wherever the mask is) and scales, broadcastable over the planes.

    Weights are read a tile at a time, several times over.
    """
    scales = least_squares(weights, mask, n_planes, scale)
    return nearest(weights, mask, scales, scale), scales


def least_squares(
    weights: Weights, mask: Bool[np.ndarray, "*shape"], n_planes: int, scale: str
) -> Float32[np.ndarray, "planes ..."]:
    """The scales of `binarize`, none below 0. A group of weights that are all pruned has scales of 0."""
    n_groups, bcast = _groups(weights.shape, scale)
    scales = np.zeros((n_groups, 0))
    for _ in range(n_planes):
        scales = _add_plane(weights, mask, scales, scale)
    for _ in range(ROUNDS if n_planes > 1 else 0):
        before, scales = scales, _fit(weights, mask, scales, scale)
        if np.abs(scales - before).max() <= TOLERANCE * np.abs(before).max():
            break
    # Few weights may have a fit below 0, at which the sums are those of its magnitude with the other sign.
    stored = np.abs(scales).astype(np.float32)
    return np.ascontiguousarray(stored.T).reshape(n_planes, *bcast)


def nearest(
    weights: Weights,
    mask: Bool[np.ndarray, "*shape"],
    scales: Float32[np.ndarray, "planes ..."],
    scale: str,
) -> Bool[np.ndarray, "planes *shape"]:
    """The bit planes of `binarize`: of each kept weight those whose sum of scales is nearest."""
    planes = np.zeros((len(scales), weights.size), np.bool_)
    of_groups = scales.reshape(len(scales), -1).T.astype(np.float64)
    for where, values, group in _kept(weights, mask, scale):
        planes[:, where] = _nearest(values, group, of_groups).T
    return planes.reshape(len(scales), *weights.shape)


def project(
    weights: Weights, mask: Bool[np.ndarray, "*shape"], n_planes: int, scale: str, code: Code
) -> tuple[Bool[np.ndarray, "planes *shape"], Float32[np.ndarray, "planes ..."]]:
    """As `binarize`, in a code that holds only some signs: plane by plane the nearest, and their least squares scale.

    Where a slice has several scales its weights count by theirs, as the mean magnitude has it. All weights are read at
    once.
    """
    kept, axes = mask.astype(np.float64), scale_axes(scale, len(weights.shape))
    n_kept = np.maximum(kept.sum(axes, keepdims=True), 1)
    several = scale == ("channel" if getattr(code, "slicing", "inputs") == "inputs_last" else "row")
    left, planes, scales = weights.read(0, weights.size).reshape(weights.shape).astype(np.float64), [], []
    for _ in range(n_planes):
        sizes = (abs(left) * kept).sum(axes, keepdims=True) / n_kept if several else 1.0
        planes.append(code.project(left * kept * sizes) & mask)
        signs = np.where(planes[-1], 1.0, -1.0) * kept
        total = (left * signs).sum(axes, keepdims=True)
        scales.append((total / n_kept).astype(np.float32))
        left = left - scales[-1] * signs
    return np.stack(planes), np.stack(scales)


def scale_axes(scale: str, ndim: int) -> tuple[int, ...]:
    """The axes that share a scale: all ("tensor"), all but the last ("channel") or but the first ("row")."""
    if scale == "tensor":
        return tuple(range(ndim))
    return tuple(range(ndim - 1)) if scale == "channel" else tuple(range(1, ndim))


def _groups(shape: tuple[int, ...], scale: str) -> tuple[int, tuple[int, ...]]:
    """How many scales a plane has, and their shape."""
    shared = scale_axes(scale, len(shape))
    bcast = tuple(1 if axis in shared else size for axis, size in enumerate(shape))
    return prod(bcast), bcast


def _kept(
    weights: Weights, mask: Bool[np.ndarray, "*shape"], scale: str
) -> Iterator[tuple[Int64[np.ndarray, " k"], Float64[np.ndarray, " k"], Int64[np.ndarray, " k"]]]:
    """The kept weights of each tile: where in the flattened tensor, their values and their groups."""
    flat = mask.reshape(-1)
    row = weights.size // max(weights.shape[0], 1)
    for tile, values in weights.tiles():
        inside = np.flatnonzero(flat[tile])
        where = inside + tile.start
        if scale == "tensor":
            group = np.zeros_like(where)
        else:
            group = where % weights.shape[-1] if scale == "channel" else where // row
        yield where, values[inside].astype(np.float64), group


def _add_plane(
    weights: Weights, mask: np.ndarray, scales: Scales, scale: str
) -> Float64[np.ndarray, "groups more_planes"]:
    """One more plane: its scale is the mean magnitude of what the planes so far leave over."""
    n_groups = len(scales)
    total, count = np.zeros(n_groups), np.zeros(n_groups)
    for _, left, group in _kept(weights, mask, scale):
        for plane in scales.T:
            left = left - np.where(left >= 0, plane[group], -plane[group])
        total += np.bincount(group, np.abs(left), n_groups)
        count += np.bincount(group, minlength=n_groups)
    return np.column_stack([scales, total / np.maximum(count, 1)])


def _fit(weights: Weights, mask: np.ndarray, scales: Scales, scale: str) -> Scales:
    """The least squares scales for the signs that are nearest under `scales`."""
    n_groups, n_planes = scales.shape
    products = np.zeros((n_groups, n_planes, n_planes))
    sums = np.zeros((n_groups, n_planes))
    for _, values, group in _kept(weights, mask, scale):
        signs = 2.0 * _nearest(values, group, scales) - 1
        for p in range(n_planes):
            sums[:, p] += np.bincount(group, signs[:, p] * values, n_groups)
            for q in range(p, n_planes):
                products[:, p, q] += np.bincount(group, signs[:, p] * signs[:, q], n_groups)
                products[:, q, p] = products[:, p, q]
    # Singular where two planes agree on every weight; the least squares solution of least norm is as good.
    return (np.linalg.pinv(products, hermitian=True) @ sums[:, :, None])[:, :, 0]


def _nearest(
    values: Float64[np.ndarray, " k"], group: Int64[np.ndarray, " k"], scales: Scales
) -> Bool[np.ndarray, "k planes"]:
    """The signs whose sum of scales is nearest to each value; the larger sum of two equally near."""
    n_planes = scales.shape[1]
    codes = np.arange(1 << n_planes)[:, None] >> np.arange(n_planes) & 1
    levels = scales @ (2.0 * codes.T - 1)
    order = np.argsort(levels, axis=1, kind="stable")
    ascending = np.take_along_axis(levels, order, axis=1)
    middles = (ascending[:, 1:] + ascending[:, :-1]) / 2
    rank = np.zeros(len(values), np.int64)
    for column in middles.T:
        rank += values >= column[group]
    return codes[order[group, rank]].astype(np.bool_)
