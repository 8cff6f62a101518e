"""Stage 2: one level of iterative magnitude pruning."""

from operator import attrgetter

from xorjax import paths
from xorjax.artifacts.artifact import save_arrays
from xorjax.config.schema import Config
from xorjax.models import create_model, merge
from xorjax.params import Masks, Params, layer_name
from xorjax.pipeline.arrays import join, load_masks, load_params
from xorjax.pipeline.build import Build
from xorjax.pipeline.inputs import Inputs, training_inputs
from xorjax.pipeline.plan import Level, following_kernels, frozen_layers
from xorjax.prune.masks import Scores, apply_masks, full_masks, magnitudes, outgoing, prune_by_score
from xorjax.train.loop import Task, train
from xorjax.train.predict import accuracy, predict
from xorjax.train.step import Weights


def prune(build: Build) -> dict:
    """Prune what the level before left, then train: from there, or rewound.

    `continue` trains on with a schedule of its own; `rewind` sets the weights back to an early epoch of the dense
    training and repeats the rest of it (Frankle et al. 2019); `rewind_lr` keeps the weights and repeats the
    learning rates from that epoch on (Renda et al. 2020).
    """
    level, config = build.stage, build.config
    assert isinstance(level, Level)
    inputs, params, masks = load_upstream(build)
    scores = importance(config, params, masks)
    masks = prune_by_score(scores, masks, level.prune_rate, config.prune.scope, config.prune.structure)
    if config.prune.strategy == "rewind":
        early = load_params(build.upstream(build.plan.dense), paths.kept_arrays(config.prune.rewind_epoch))
        # Frozen layers stay the dense model's: the inputs were computed with them.
        params |= {path: v for path, v in early.items() if layer_name(path) not in frozen_layers(config)}
    continues = config.prune.strategy == "continue"
    task = training_task(config, inputs, apply_masks, "prune.optim" if continues else "optim")
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
    logits = predict(merge(task.graphdef, result.params), inputs.test.inputs, inputs.start)
    return {
        "prune_rate": level.prune_rate,
        "best_epoch": result.best_epoch,
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": accuracy(logits, inputs.test.labels),
        "n_kept": {path: int(mask.sum()) for path, mask in masks.items() if mask is not None},
    }


def load_upstream(build: Build) -> tuple[Inputs, Params, Masks]:
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


def training_task(config: Config, inputs: Inputs, weights: Weights, key: str) -> Task:
    """What a stage after dense training trains: `weights` of the parameters, by the settings at `key`."""
    graphdef, _ = create_model(config.model.name, config.seed)
    optim = attrgetter(key)(config)
    return Task(graphdef, weights, optim, config.seed, inputs.start, frozen_layers(config), key)


def importance(config: Config, params: Params, masks: Masks) -> Scores:
    """What ranks the weights: `prune.score` says."""
    scores = magnitudes(params, masks)
    if config.prune.score == "outgoing":
        scores = outgoing(scores, params, following_kernels(config.model.name))
    return scores
