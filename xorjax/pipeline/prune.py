"""Stage 2: one level of iterative magnitude pruning."""

from xorjax import paths
from xorjax.artifacts.artifact import save_arrays
from xorjax.config.schema import Config
from xorjax.models.registry import MODELS
from xorjax.params import Masks, Params, is_within, layer_name
from xorjax.pipeline.build import Build, join, load_trained
from xorjax.pipeline.plan import Level
from xorjax.pipeline.training import MASK_READS, UPSTREAM_NEEDS, Upstream, masks_before, measured
from xorjax.prune.masks import Scores, apply_masks, magnitudes, outgoing, prune_by_score
from xorjax.train.loop import TrainResult, train
from xorjax.train.step import Recipe

RETRAIN_READS = ("optim", "prune.strategy", "prune.rewind_epoch", "prune.optim")
READS = (*MASK_READS, *RETRAIN_READS, "prune.scope", "prune.score", "prune.structure")
NEEDS = UPSTREAM_NEEDS


def prune(build: Build) -> dict:
    """Prune what the level before left, then train: from there, or rewound."""
    level, config = build.stage, build.config
    assert isinstance(level, Level)
    upstream = Upstream.load(build)
    before = masks_before(build, upstream.params)
    scores = importance(config, upstream.params, before)
    rates = {path: level.rate(layer_name(path)) for path in scores}
    masks = prune_by_score(scores, before, rates, config.prune.scope, config.prune.structure)
    recipe, result = retrain(build, upstream, masks)
    save_arrays(build.work / paths.ARRAYS, join(params=result.params, state=result.state, masks=masks))
    return measured(recipe, result, upstream.inputs.test) | {
        "prune_rate": level.prune_rate,
        "n_kept": {path: int(mask.sum()) for path, mask in masks.items() if mask is not None},
    }


def retrain(build: Build, upstream: Upstream, masks: Masks) -> tuple[Recipe, TrainResult]:
    """Train what the masks keep, as `prune.strategy` says.

    `continue` trains on with a schedule of its own; `rewind` sets the weights back to an early epoch of the dense
    training and repeats the rest of it (Frankle et al. 2019); `rewind_lr` keeps the weights and repeats the
    learning rates from that epoch on (Renda et al. 2020).
    """
    config, params, state = build.config, upstream.params, upstream.state
    if config.prune.strategy == "rewind":
        early = load_trained(build.upstream(build.plan.dense), paths.kept_arrays(config.prune.rewind_epoch))
        # Frozen layers stay the dense model's: the inputs were computed with them.
        params, state = (
            now | {path: v for path, v in then.items() if not is_within(path, config.frozen_layers)}
            for now, then in zip((params, state), early, strict=True)
        )
    continues = config.prune.strategy == "continue"
    recipe = upstream.recipe(config, apply_masks, "prune.optim" if continues else "optim")
    result = train(
        recipe,
        apply_masks(params, masks),
        state,
        masks,
        upstream.inputs.train,
        upstream.inputs.validation,
        build.work,
        first_epoch=0 if continues else config.prune.rewind_epoch,
        on_epoch=build.on_epoch,
    )
    return recipe, result


def importance(config: Config, params: Params, masks: Masks) -> Scores:
    """What ranks the weights: `prune.score` says."""
    scores = magnitudes(params, masks)
    if config.prune.score == "outgoing":
        scores = outgoing(scores, params, getattr(MODELS[config.model.name], "following", {}))
    return scores
