"""Masks by score, such as magnitude: exact counts, ties by index, nested from level to level, never an empty layer."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from xorjax.config.schema import matching
from xorjax.masks.base import n_kept
from xorjax.params import Masks, Params, layer_name
from xorjax.prune.largest import keep_largest
from xorjax.prune.structure import ROUNDS, density_bias

Scores = dict[str, Float[np.ndarray, "..."]]
"""How much each weight is worth, by path."""


def full_masks(params: Params, patterns: Sequence[str]) -> Masks:
    """Masks that keep everything: all True for kernels of layers that a pattern matches, None elsewhere."""
    kernels = {layer_name(path): path for path in params if path.endswith("/kernel")}
    named = {kernels[layer] for layer in matching(tuple(kernels), patterns)}
    return {path: jnp.ones(value.shape, bool) if path in named else None for path, value in params.items()}


def apply_masks(params: Params, masks: Masks) -> Params:
    """The parameters with every pruned weight exactly 0."""
    return {path: _masked(value, masks[path]) for path, value in params.items()}


def _masked(value: Float[Array, "*shape"], mask: Bool[Array, "*shape"] | None) -> Float[Array, "*shape"]:
    return value if mask is None else value * mask.astype(value.dtype)


def magnitudes(params: Params, masks: Masks) -> Scores:
    """The magnitude of every weight that has a mask.

    Raises:
        ValueError: a weight is not finite.
    """
    scores = {
        path: np.abs(np.asarray(params[path], np.float32)) for path, mask in masks.items() if mask is not None
    }
    for path, score in scores.items():
        if not np.isfinite(score).all():
            raise ValueError(f"{path}: a weight is NaN or infinite, so its magnitudes cannot be ranked")
    return scores


def outgoing(scores: Scores, params: Params, following: Mapping[str, str]) -> Scores:
    """Scores times the norm of the weights that each output meets in the layer after.

    A weight's effect on the network is bounded by the two together. `following` names, by path, the kernel after each;
    the scores of one without stay. The outputs of a layer are its last axis and, flattened channels last, the inputs
    of the next.
    """
    scaled = dict(scores)
    for path in scores.keys() & following.keys():
        after = np.asarray(params[following[path]], np.float32)
        by_output = after.reshape(-1, scores[path].shape[-1], after.shape[-1])
        scaled[path] = scores[path] * np.sqrt(np.square(by_output).sum(axis=(0, 2)))
    return scaled


def prune_by_magnitude(params: Params, masks: Masks, prune_rate: float, scope: str) -> Masks:
    """`prune_by_score` by the weights' magnitudes, all layers to one rate."""
    scores = magnitudes(params, masks)
    return prune_by_score(scores, masks, dict.fromkeys(scores, prune_rate), scope)


def prune_by_score(
    scores: Scores, masks: Masks, rates: Mapping[str, float], scope: str, structure: float = 0.0
) -> Masks:
    """The masks at the prune rate of each path, inside the given ones, that keep the largest scores (all >= 0).

    `scope="layer"` prunes every layer to its rate; `scope="global"` ranks the weights of all layers together, which
    then have one rate, each layer keeping at least its largest. Of equal scores the one with the lower index stays.
    With `structure` > 0 the ranking is by log score + structure x the bias of `structure.density_bias`.

    Raises:
        ValueError: the masks already removed more than the rate, or a global ranking has several rates.
    """
    before = {path: np.asarray(mask) for path, mask in masks.items() if mask is not None}
    if scope == "global" and len(set(rates.values())) > 1:
        raise ValueError(f"a global ranking has one prune rate, not {sorted(set(rates.values()))}")
    if structure == 0:
        kept = _keep(scores, before, rates, scope)
    else:
        with np.errstate(divide="ignore"):
            worth = {path: np.log(score.astype(np.float64)) for path, score in scores.items()}
        # A mask that keeps all says nothing of its rows and columns: half of it does.
        full = all(mask.mean() > 0.9 for mask in before.values())
        half = {path: min(rate, 0.5) for path, rate in rates.items()}
        kept = _keep(worth, before, half, scope) if full else before
        for _ in range(ROUNDS):
            biased = {path: worth[path] + structure * density_bias(kept[path]) for path in worth}
            kept = _keep(biased, before, rates, scope)
    for path, keep in kept.items():
        if (keep & ~before[path]).any():
            raise ValueError(f"{path}: its mask already removes more than prune_rate {rates[path]}")
    return {path: None if mask is None else jnp.asarray(kept[path]) for path, mask in masks.items()}


def _keep(
    worth: Scores, before: dict[str, np.ndarray], rates: Mapping[str, float], scope: str
) -> dict[str, np.ndarray]:
    """The masks that keep what is worth most, what was pruned before ranking below all else."""
    ranked = {path: np.where(before[path], value, -np.inf).ravel() for path, value in worth.items()}
    # Finite, so that a score of 0, whose logarithm is not, still ranks above what was pruned.
    for path, mask in before.items():
        ranked[path][mask.ravel() & np.isneginf(ranked[path])] = np.finfo(np.float32).min
    if scope == "global":
        kept = _keep_global(ranked, next(iter(rates.values())))
    else:
        kept = {path: _largest(score, n_kept(score.size, rates[path])) for path, score in ranked.items()}
    return {path: keep.reshape(before[path].shape) for path, keep in kept.items()}


def _keep_global(scores: dict[str, np.ndarray], prune_rate: float) -> dict[str, np.ndarray]:
    """The largest of all layers' weights; the largest of each layer ranks first, whatever its magnitude."""
    together = np.concatenate(list(scores.values()))
    starts = np.cumsum([0, *(score.size for score in scores.values())])
    first = [start + int(score.argmax()) for start, score in zip(starts, scores.values(), strict=False)]
    together[first] = np.inf
    count = max(n_kept(together.size, prune_rate), len(scores))
    return dict(zip(scores, np.split(_largest(together, count), starts[1:-1]), strict=True))


def _largest(score: Float[np.ndarray, " n"], count: int) -> Bool[np.ndarray, " n"]:
    return keep_largest(lambda: [(slice(0, score.size), score)], score.size, count)
