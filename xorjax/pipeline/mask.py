"""After pruning, for approximate mask codecs: a mask that the code can express, and training under it."""

from dataclasses import fields

import jax.numpy as jnp
import numpy as np

from xorjax import paths
from xorjax.artifacts.artifact import Artifact, save_arrays
from xorjax.config.schema import MaskConfig
from xorjax.masks import APPROXIMATE_CODECS, EncodedMask, fit_mask
from xorjax.masks.base import n_kept
from xorjax.params import layer_name
from xorjax.pipeline.build import Build, group, join
from xorjax.pipeline.plan import Level
from xorjax.pipeline.prune import importance
from xorjax.pipeline.training import MASK_READS, UPSTREAM_NEEDS, Upstream, masks_before, measured
from xorjax.prune.masks import apply_masks
from xorjax.train.loop import train
from xorjax.train.metrics import write_metrics

READS = (*MASK_READS, "mask", "prune.score", "prune.optim")
NEEDS = UPSTREAM_NEEDS


def mask(build: Build) -> dict:
    """Parameters and masks of the best round.

    A round fits a mask to the scores and trains the weights that it keeps. In the next one these have the scores that
    training gave them, and the others those of before: a weight that was left out can come back.
    """
    level, config = build.stage, build.config
    assert isinstance(level, Level)
    upstream = Upstream.load(build)
    params, inputs = upstream.params, upstream.inputs
    recipe = upstream.recipe(config, apply_masks, "prune.optim")
    before = masks_before(build, params)
    rates = {path: level.rate(layer_name(path)) for path, mask in before.items() if mask is not None}
    scores = {
        path: np.where(np.asarray(before[path]), score, np.float32(0))
        for path, score in importance(config, params, before).items()
    }
    first_scores = scores
    best, history, kept_score = None, [], {}
    for number in range(config.mask.rounds):
        fitted = {path: _fit(config.mask, score, rates[path]) for path, score in scores.items()}
        masks = {path: jnp.asarray(fitted[path].mask) if path in fitted else None for path in params}
        epochs = len(history)
        result = train(
            recipe,
            apply_masks(params, masks),
            upstream.state,
            masks,
            inputs.train,
            inputs.validation,
            build.work / f"round{number}",
            on_epoch=lambda row, epochs=epochs: build.on_epoch(_later(row, epochs)),
        )
        share = {path: _kept_share(first_scores[path], fitted[path].mask, rates[path]) for path in scores}
        if best is None or config.task.metric.is_better(result.validation_metric, best[0].validation_metric):
            best, kept_score = (result, masks, fitted), share
        history += [_later(row, epochs) for row in result.history]
        trained = importance(config, result.params, masks)
        scores = {path: np.where(fitted[path].mask, trained[path], score) for path, score in scores.items()}
    assert best is not None
    result, masks, fitted = best
    write_metrics(build.work / paths.METRICS, history)
    streams = {f"{path}/{name}": s for path, code in fitted.items() for name, s in code.streams.items()}
    arrays = join(params=result.params, state=result.state, masks=masks, index=streams)
    save_arrays(build.work / paths.ARRAYS, arrays)
    return measured(recipe, result, inputs.test) | {"prune_rate": level.prune_rate, "kept_score": kept_score}


def _later(row: dict, epochs: int) -> dict:
    """A round's line of metrics, its epochs counted on from the rounds before."""
    return row | {"epoch": epochs + row["epoch"]}


def load_index(artifact: Artifact, codec: str) -> dict[str, EncodedMask]:
    """The masks that the stage left, as their codec stores them."""
    arrays = artifact.arrays()
    streams = group(arrays, "index")
    return {
        path: EncodedMask(codec, mask.shape, group(streams, path))
        for path, mask in group(arrays, "masks").items()
    }


def _fit(settings: MaskConfig, scores: np.ndarray, prune_rate: float) -> EncodedMask:
    known = {own.name for own in fields(APPROXIMATE_CODECS[settings.codec].settings)}
    given = {"index_bits": settings.index_bits, "seed": settings.seed}
    return fit_mask(
        scores, prune_rate, settings.codec, **{name: given[name] for name in known & given.keys()}
    )


def _kept_share(scores: np.ndarray, mask: np.ndarray, prune_rate: float) -> float:
    """What the mask keeps of the score, over what the largest scores at the same rate are."""
    largest = np.sort(scores, axis=None)[-n_kept(scores.size, prune_rate) :]
    return float(scores[mask].sum(dtype=np.float64) / largest.sum(dtype=np.float64))
