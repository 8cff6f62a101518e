"""What the stages that train have in common: where they start, what they train, and what they say of the result."""

from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from xorjax.config.schema import Config
from xorjax.models import Network, Params, State, merge
from xorjax.params import Masks
from xorjax.pipeline.arrays import load_masks, load_params, load_state
from xorjax.pipeline.build import Build
from xorjax.pipeline.inputs import Inputs, new_model, training_inputs
from xorjax.prune.masks import full_masks
from xorjax.tasks.task import Split
from xorjax.train.loop import Recipe, TrainResult
from xorjax.train.predict import predict, score
from xorjax.train.step import Form, Forward


@dataclass(frozen=True)
class Upstream:
    """What a stage after dense training starts with: its inputs, and what the stage before left."""

    network: Network
    inputs: Inputs
    params: Params
    state: State
    masks: Masks

    @classmethod
    def load(cls, build: Build) -> "Upstream":
        """Dense training leaves no masks: full ones are then made of the layers to prune."""
        plan, config = build.plan, build.config
        before = build.upstream(plan.needs(build.stage)[-1])
        params = load_params(before)
        masks = load_masks(before, params)
        if all(mask is None for mask in masks.values()):
            masks = full_masks(params, config.prune.layers)
        network, _, _ = new_model(config)
        inputs = training_inputs(config, network, build.upstream(plan.dense))
        return cls(network, inputs, params, load_state(before), masks)

    def recipe(self, config: Config, form: Form, key: str) -> Recipe:
        """How `form` of the parameters is trained, by the settings at `key`."""
        forward = Forward(config.task, self.network, form, self.inputs.start)
        return Recipe(forward, attrgetter(key)(config), config.seed, frozenset(config.frozen_layers), key)


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
