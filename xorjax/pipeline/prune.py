"""Stage 2: one level of iterative magnitude pruning after the other."""

from pathlib import Path

from xorjax import paths
from xorjax.config.schema import Config
from xorjax.models import create_model, merge
from xorjax.params import Masks, Params, layer_name
from xorjax.pipeline.arrays import join, load_masks, load_params
from xorjax.pipeline.artifact import Artifact, make, save_arrays
from xorjax.pipeline.inputs import training_inputs
from xorjax.pipeline.plan import Level, Plan, following_kernels, frozen_layers
from xorjax.pipeline.progress import Progress
from xorjax.prune.masks import Scores, apply_masks, full_masks, magnitudes, outgoing, prune_by_score
from xorjax.train.loop import Task, train
from xorjax.train.predict import accuracy, predict


def prune(plan: Plan, dense: Artifact, runs: Path, progress: Progress) -> Artifact:
    """The last level's artifact (parameters and masks); the dense one if nothing is pruned."""
    artifact = dense
    for level in plan.levels:
        artifact = _prune_level(plan, level, dense, artifact, runs, progress)
    return artifact


def importance(config: Config, params: Params, masks: Masks) -> Scores:
    """What ranks the weights: `prune.score` says."""
    scores = magnitudes(params, masks)
    if config.prune.score == "outgoing":
        scores = outgoing(scores, params, following_kernels(config.model.name))
    return scores


def _prune_level(
    plan: Plan, level: Level, dense: Artifact, before: Artifact, runs: Path, progress: Progress
) -> Artifact:
    """Prune what the level before left, then train: from there, or rewound.

    `continue` trains on with a schedule of its own; `rewind` sets the weights back to an early epoch of the dense
    training and repeats the rest of it (Frankle et al. 2019); `rewind_lr` keeps the weights and repeats the
    learning rates from that epoch on (Renda et al. 2020).
    """
    config = plan.config

    def build(work: Path) -> dict:
        inputs = training_inputs(config, dense)
        params = load_params(before)
        masks = load_masks(before, params) if before is not dense else full_masks(params, config.prune.layers)
        scores = importance(config, params, masks)
        masks = prune_by_score(scores, masks, level.prune_rate, config.prune.scope, config.prune.structure)
        if config.prune.strategy == "rewind":
            early = load_params(dense, paths.kept_arrays(config.prune.rewind_epoch))
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
        )
        result = train(
            task,
            apply_masks(params, masks),
            masks,
            inputs.train,
            inputs.validation,
            work,
            first_epoch=0 if continues else config.prune.rewind_epoch,
            on_epoch=progress.epoch,
        )
        save_arrays(work / paths.ARRAYS, join(params=result.params, masks=masks))
        logits = predict(merge(graphdef, result.params), inputs.test.inputs, inputs.start)
        return {
            "prune_rate": level.prune_rate,
            "best_epoch": result.best_epoch,
            "validation_accuracy": result.validation_accuracy,
            "test_accuracy": accuracy(logits, inputs.test.labels),
            "n_kept": {path: int(mask.sum()) for path, mask in masks.items() if mask is not None},
        }

    with progress.stage(level):
        return make(runs, level, build)
