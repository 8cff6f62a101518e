"""Masks by magnitude: exact counts, ties by index, nested from level to level, never an empty layer."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from xorjax.params import Masks, Params, layer_name


def prunable(path: str, patterns: Iterable[str]) -> bool:
    """Whether `path` is the kernel of a layer that one of the patterns names."""
    return path.endswith("/kernel") and any(fnmatchcase(layer_name(path), pattern) for pattern in patterns)


def full_masks(params: Params, patterns: Iterable[str]) -> Masks:
    """Masks that keep everything: all True where a pattern matches, None elsewhere."""
    patterns = tuple(patterns)
    return {
        path: jnp.ones(value.shape, bool) if prunable(path, patterns) else None
        for path, value in params.items()
    }


def apply_masks(params: Params, masks: Masks) -> Params:
    """The parameters with every pruned weight exactly 0."""
    return {path: _masked(value, masks[path]) for path, value in params.items()}


def _masked(value: Float[Array, "*shape"], mask: Bool[Array, "*shape"] | None) -> Float[Array, "*shape"]:
    return value if mask is None else value * mask.astype(value.dtype)


def n_kept(n_weights: int, prune_rate: float) -> int:
    """How many of `n_weights` weights stay at `prune_rate`: the nearest count, at least one."""
    return max(1, n_weights - round(prune_rate * n_weights))


def prune_by_magnitude(params: Params, masks: Masks, prune_rate: float, scope: str) -> Masks:
    """The masks at `prune_rate`, inside the given ones.

    `scope="layer"` prunes every layer to the rate; `scope="global"` ranks the weights of all layers together,
    each layer keeping at least its largest. Of equal magnitudes the one with the lower index stays.

    Raises:
        ValueError: a weight is not finite, or the masks already removed more than `prune_rate`.
    """
    scores = {path: _score(path, params[path], mask) for path, mask in masks.items() if mask is not None}
    kept = _keep_global(scores, prune_rate) if scope == "global" else _keep_each(scores, prune_rate)
    for path, keep in kept.items():
        if not (scores[path][keep] >= 0).all():
            raise ValueError(f"{path}: its mask already removes more than prune_rate {prune_rate}")
    return {
        path: None if mask is None else jnp.asarray(kept[path].reshape(mask.shape))
        for path, mask in masks.items()
    }


def _score(path: str, weight: jax.Array, mask: jax.Array) -> Float[np.ndarray, " n"]:
    """Magnitudes, flat; -1 where already pruned, so that those rank below a kept weight that is 0."""
    magnitude = np.abs(np.asarray(weight, np.float32)).ravel()
    if not np.isfinite(magnitude).all():
        raise ValueError(f"{path}: a weight is NaN or infinite, so its magnitudes cannot be ranked")
    return np.where(np.asarray(mask).ravel(), magnitude, np.float32(-1))


def _keep_each(scores: dict[str, np.ndarray], prune_rate: float) -> dict[str, np.ndarray]:
    return {path: _largest(score, n_kept(score.size, prune_rate)) for path, score in scores.items()}


def _keep_global(scores: dict[str, np.ndarray], prune_rate: float) -> dict[str, np.ndarray]:
    """The largest of all layers' weights; the largest of each layer ranks first, whatever its magnitude."""
    together = np.concatenate(list(scores.values()))
    starts = np.cumsum([0, *(score.size for score in scores.values())])
    first = [start + int(score.argmax()) for start, score in zip(starts, scores.values(), strict=False)]
    ranked = together.copy()
    ranked[first] = np.inf
    count = max(n_kept(together.size, prune_rate), len(scores))
    keep = _largest(ranked, count)
    return dict(zip(scores, np.split(keep, starts[1:-1]), strict=True))


def _largest(score: Float[np.ndarray, " n"], count: int) -> Bool[np.ndarray, " n"]:
    keep = np.zeros(score.size, bool)
    keep[np.argsort(-score, kind="stable")[:count]] = True
    return keep
