"""After pruning, for approximate mask codecs: a mask that the code can express, and training under it."""

from collections.abc import Mapping
from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import numpy as np

from xorjax import paths
from xorjax.artifacts.artifact import Artifact, save_arrays
from xorjax.config.schema import MaskConfig
from xorjax.masks import APPROXIMATE_CODECS, EncodedMask, fit_mask
from xorjax.masks.base import n_kept
from xorjax.params import Masks, Params, layer_name
from xorjax.pipeline.build import Build, group, join
from xorjax.pipeline.plan import Level
from xorjax.pipeline.prune import importance
from xorjax.pipeline.training import MASK_READS, UPSTREAM_NEEDS, Upstream, masks_before, measured
from xorjax.prune.masks import apply_masks
from xorjax.train.loop import TrainResult, train
from xorjax.train.metrics import write_metrics
from xorjax.train.step import Recipe

READS = (*MASK_READS, "mask", "prune.score", "prune.optim")
NEEDS = UPSTREAM_NEEDS


def mask(build: Build) -> dict:
    """Parameters and masks of the best round.

    A round fits a mask to the scores and trains the weights that it keeps. In the next one these have the scores that
    training gave them, and the others those of before: a weight that was left out can come back.

    With `mask.search=loop` all rounds but the last are one training, in which the mask is chosen `mask.choices` times
    an epoch; the weights that it leaves out learn what they would do if they were kept, and the last round fits a
    mask to what all have become.
    """
    level, config = build.stage, build.config
    assert isinstance(level, Level)
    upstream = Upstream.load(build)
    params, state, inputs = upstream.params, upstream.state, upstream.inputs
    recipe = upstream.recipe(config, apply_masks, "prune.optim")
    before = masks_before(build, params)
    rates = {path: level.rate(layer_name(path)) for path, mask in before.items() if mask is not None}
    rounds, history = config.mask.rounds, []
    scores = {
        path: np.where(np.asarray(before[path]), score, np.float32(0))
        for path, score in importance(config, params, before).items()
    }
    if config.mask.search == "loop":
        looped = _search(build, upstream, recipe, before, rates)
        (params, state), history, rounds = looped.kept[len(looped.history)], looped.history, 1
        scores = importance(config, params, before)
    first_scores = scores
    best, kept_score = None, {}
    for number in range(config.mask.rounds - rounds, config.mask.rounds):
        fitted = {path: _fit(config.mask, score, rates[path]) for path, score in scores.items()}
        masks = _masks(fitted, params)
        epochs = len(history)
        result = train(
            recipe,
            apply_masks(params, masks),
            state,
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


def straight_through(params: Params, masks: Masks) -> Params:
    """As `apply_masks`; the gradient reaches every weight as if all were kept."""
    return {
        path: params[path] + jax.lax.stop_gradient(kept - params[path])
        for path, kept in apply_masks(params, masks).items()
    }


def _search(
    build: Build, upstream: Upstream, recipe: Recipe, before: Masks, rates: Mapping[str, float]
) -> TrainResult:
    """The training in which masks are chosen: the epochs of all rounds but the last, on one schedule.

    The arrays after its last epoch are kept. A choice depends on nothing but the weights, so that any epoch can be
    resumed.
    """
    config = build.config
    epochs = (config.mask.rounds - 1) * recipe.optim.epochs

    def choose(params: Params) -> Masks:
        scores = importance(config, params, before)
        return _masks({path: _fit(config.mask, score, rates[path]) for path, score in scores.items()}, params)

    return train(
        replace(
            recipe,
            forward=replace(recipe.forward, form=straight_through, all_move=True),
            optim=replace(recipe.optim, epochs=epochs),
        ),
        upstream.params,
        upstream.state,
        before,
        upstream.inputs.train,
        upstream.inputs.validation,
        build.work / "round0",
        keep_epochs=(epochs,),
        on_epoch=build.on_epoch,
        choose=choose,
        choices=config.mask.choices,
    )


def _masks(fitted: Mapping[str, EncodedMask], params: Params) -> Masks:
    return {path: jnp.asarray(fitted[path].mask) if path in fitted else None for path in params}


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
