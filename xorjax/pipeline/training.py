"""What the stages that train have in common: the data, where they start, and what they say of the result."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np

from xorjax.artifacts.artifact import Artifact
from xorjax.config.schema import Config
from xorjax.data.config import DataConfig
from xorjax.models import MODELS, Network, Params, State, create_model, merge
from xorjax.models.registry import blocks_of
from xorjax.params import Masks, is_within
from xorjax.pipeline.build import Build, load_masks, load_trained
from xorjax.prune.masks import full_masks
from xorjax.tasks.task import Dataset, Split, Task
from xorjax.train.loop import TrainResult
from xorjax.train.predict import features, predict, score
from xorjax.train.step import Form, Forward, Recipe

UPSTREAM_READS = ("data", "model", "task", "seed", "frozen_layers")
"""What every stage after dense training reads: see `Upstream`."""
MASK_READS = (*UPSTREAM_READS, "prune.layers")
"""What those read that have masks."""
UPSTREAM_NEEDS = ("dense", "before")
"""What each of them is made from: the features of the dense model, and what the stage before left."""


@lru_cache(maxsize=1)
def dataset(task: Task, data: DataConfig) -> Dataset:
    """The data, read once by the points of a process."""
    return task.load(data)


def new_model(config: Config) -> tuple[Network, Params, State]:
    """The model as it is before training, for the sizes of the data set."""
    return create_model(config.model.name, config.seed, config.task.datasets[config.data.name])


def frozen_blocks(config: Config, network: Network) -> int:
    """How many blocks at the start of the model never change after dense training, nor what they are given.

    0 for a model without blocks, and where inputs are augmented.
    """
    frozen, blocks = config.frozen_layers, blocks_of(MODELS[config.model.name])
    if not frozen or config.task.augments:
        return 0
    moving = [variable.name for variable in network.variables if not is_within(variable.name, frozen)]
    return next(
        (i for i, block in enumerate(blocks) if any(is_within(name, (block,)) for name in moving)),
        len(blocks),
    )


@dataclass(frozen=True)
class Upstream:
    """What a stage after dense training starts with: its inputs, and what the stage before left.

    The inputs are those of block `start`: the task's for 0, else the features of the frozen blocks, computed with the
    weights of the dense model.
    """

    network: Network
    start: int
    inputs: Dataset
    params: Params
    state: State
    dense: Artifact

    @classmethod
    def load(cls, build: Build) -> "Upstream":
        config = build.config
        params, state = load_trained(_before(build))
        network, _, _ = new_model(config)
        start, dense = frozen_blocks(config, network), build.upstream(build.plan.dense)
        inputs = _inputs(config.task, config.data, network, dense, start)
        return cls(network, start, inputs, params, state, dense)

    def recipe(self, config: Config, form: Form, key: str) -> Recipe:
        """How `form` of the parameters is trained, by the settings at `key`; the dense model teaches."""
        forward, optim = Forward(config.task, self.network, form, self.start), attrgetter(key)(config)
        teacher = load_trained(self.dense) if optim.distill else None
        return Recipe(forward, optim, config.seed, frozenset(config.frozen_layers), key, teacher)


def masks_before(build: Build, params: Params) -> Masks:
    """The masks that the stage before left; full ones of the layers to prune where that was dense training."""
    masks = load_masks(_before(build), params)
    if all(mask is None for mask in masks.values()):
        masks = full_masks(params, build.config.prune.layers)
    return masks


def _before(build: Build) -> Artifact:
    return build.upstream(build.plan.needs(build.stage)[-1])


# Two, since a sweep over seeds may alternate; a set of LeNet-5's features of MNIST takes 0.2 GB.
@lru_cache(maxsize=2)
def _inputs(task: Task, data: DataConfig, network: Network, dense: Artifact, start: int) -> Dataset:
    own = dataset(task, data)
    if not start:
        return own
    arrays = load_trained(dense)
    splits = (own.train, own.validation, own.test)
    return Dataset(*(features(task, network, *arrays, split, start) for split in splits))


def measured(recipe: Recipe, result: TrainResult, test: Split) -> dict[str, Any]:
    """The part of a summary that says how good the trained parameters are as they are; `test` is given to `recipe`."""
    forward = recipe.forward
    model = merge(forward.network, result.params, result.state)
    return summary(recipe, result, predict(recipe.task, model, test, forward.start), test)


def summary(recipe: Recipe, result: TrainResult, outputs: np.ndarray, test: Split) -> dict[str, Any]:
    """As `measured`, for these outputs of the test split."""
    return {
        "best_epoch": result.best_epoch,
        "metric": asdict(recipe.task.metric),
        "validation_metric": result.validation_metric,
        "test_metric": score(recipe.task, outputs, test),
        "n_test": test.size,
    }
