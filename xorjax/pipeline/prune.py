"""Stage 2: one level of iterative magnitude pruning."""

from xorjax import paths
from xorjax.config.schema import Config
from xorjax.models import create_model, merge
from xorjax.params import Masks, Params, layer_name
from xorjax.pipeline.arrays import join, load_masks, load_params
from xorjax.pipeline.artifact import save_arrays
from xorjax.pipeline.build import Build
from xorjax.pipeline.inputs import Inputs, training_inputs
from xorjax.pipeline.plan import Level, following_kernels, frozen_layers
from xorjax.prune.masks import Scores, apply_masks, full_masks, magnitudes, outgoing, prune_by_score
from xorjax.train.loop import Task, train
from xorjax.train.predict import accuracy, predict


def prune(build: Build) -> dict:
    """Prune what the level before left, then train: from there, or rewound.

    `continue` trains on with a schedule of its own; `rewind` sets the weights back to an early epoch of the dense
    training and repeats the rest of it (Frankle et al. 2019); `rewind_lr` keeps the weights and repeats the
    learning rates from that epoch on (Renda et al. 2020).
    """
    level, config = build.stage, build.config
    assert isinstance(level, Level)
    inputs, params, masks = going_on(build)
    scores = importance(config, params, masks)
    masks = prune_by_score(scores, masks, level.prune_rate, config.prune.scope, config.prune.structure)
    if config.prune.strategy == "rewind":
        early = load_params(build.upstream(build.plan.dense), paths.kept_arrays(config.prune.rewind_epoch))
        # Frozen layers stay the dense model's: the inputs were computed with them.
        params |= {path: v for path, v in early.items() if layer_name(path) not in frozen_layers(config)}
    continues = config.prune.strategy == "continue"
    graphdef, _ = create_model(config.model.name, config.seed)
    task = Task(
        graphdef,
        apply_masks,
        config.prune.optim if continues else config.optim,
        config.seed,
        inputs.start,
        frozen_layers(config),
        "prune.optim" if continues else "optim",
    )
    result = train(
        task,
        apply_masks(params, masks),
        masks,
        inputs.train,
        inputs.validation,
        build.work,
        first_epoch=0 if continues else config.prune.rewind_epoch,
        on_epoch=build.on_epoch,
    )
    save_arrays(build.work / paths.ARRAYS, join(params=result.params, masks=masks))
    logits = predict(merge(graphdef, result.params), inputs.test.inputs, inputs.start)
    return {
        "prune_rate": level.prune_rate,
        "best_epoch": result.best_epoch,
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": accuracy(logits, inputs.test.labels),
        "n_kept": {path: int(mask.sum()) for path, mask in masks.items() if mask is not None},
    }


def going_on(build: Build) -> tuple[Inputs, Params, Masks]:
    """What a stage after dense training starts with: its inputs, and what the stage before left.

    Dense training leaves no masks: full ones are then made of the layers to prune.
    """
    plan, config = build.plan, build.config
    before = build.upstream(plan.needs(build.stage)[-1])
    params = load_params(before)
    masks = load_masks(before, params)
    if all(mask is None for mask in masks.values()):
        masks = full_masks(params, config.prune.layers)
    return training_inputs(config, build.upstream(plan.dense)), params, masks


def importance(config: Config, params: Params, masks: Masks) -> Scores:
    """What ranks the weights: `prune.score` says."""
    scores = magnitudes(params, masks)
    if config.prune.score == "outgoing":
        scores = outgoing(scores, params, following_kernels(config.model.name))
    return scores
