"""A task of sequences, judged by a metric of which less is better, and a recurrent model: those of docs/extend.md.

They are run here as they stand there, but not registered, since other tests look at what the project has.
"""

from pathlib import Path

import numpy as np
import pytest
from test_extend import ROOT, blocks

from xorjax.config.schema import OptimConfig
from xorjax.data.config import DataConfig
from xorjax.models.registry import initialize, merge
from xorjax.prune.masks import apply_masks, full_masks, prune_by_magnitude
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.tasks.task import Task
from xorjax.train import Forward, Recipe, evaluate, predict, score, train

PAGE = {"__name__": __name__}
for file, text in blocks("A task").items():
    if Path(file).suffix == ".py":
        exec(text.replace("@TASKS.register", "").replace("@MODELS.register", ""), PAGE)
TASK = PAGE["CharactersTask"]()
OPTIM = OptimConfig(epochs=3, batch_size=20, learning_rate=1e-2, warmup_epochs=0.0, label_smoothing=0.0)


@pytest.fixture(scope="module")
def data():
    return TASK.load(DataConfig("license", dir=str(ROOT / "data")))


@pytest.fixture(scope="module")
def made():
    return initialize(PAGE["CharLSTM"], 0, TASK.datasets["license"])


@pytest.fixture(scope="module")
def trained(made, data, tmp_path_factory):
    network, params, state = made
    work = tmp_path_factory.mktemp("dense")
    recipe = Recipe(Forward(TASK, network), OPTIM, seed=0)
    return train(recipe, params, state, dict.fromkeys(params), data.train, data.validation, work)


def test_it_is_a_task():
    assert isinstance(TASK, Task)


def test_it_learns_and_the_best_epoch_has_the_least(trained):
    perplexities = [row["validation_metric"] for row in trained.history]
    assert {row["metric"] for row in trained.history} == {"perplexity"}
    assert trained.best_epoch == perplexities.index(min(perplexities)) + 1
    assert trained.validation_metric == min(perplexities) < perplexities[0] < 128


def test_the_epoch_that_is_chosen_is_the_least_even_if_it_comes_first(made, data, tmp_path, monkeypatch):
    from xorjax.train import loop

    network, params, state = made
    metrics = iter([3.0, 2.0, 2.0, 5.0])
    monkeypatch.setattr(loop, "evaluate", lambda *args: (1.0, next(metrics)))
    recipe = Recipe(Forward(TASK, network), OPTIM, seed=0)
    result = train(recipe, params, state, dict.fromkeys(params), data.train, data.validation, tmp_path)
    assert (result.best_epoch, result.validation_metric) == (2, 2.0)


def test_the_score_of_a_split_is_that_of_its_outputs(made, trained, data):
    outputs = predict(TASK, merge(made[0], trained.params, trained.state), data.test, batch_size=7)
    assert outputs.shape == (40, 32, 128)
    likelihood = outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))
    own = np.take_along_axis(likelihood, data.test.targets[..., None], axis=-1)
    assert score(TASK, outputs, data.test) == pytest.approx(np.exp(-own.mean()), rel=1e-5)


def test_it_is_pruned_and_binarized_as_any_other(made, trained, data, tmp_path):
    network, _, _ = made
    masks = full_masks(trained.params, ["lstm/*"])
    paths = [path for path, mask in masks.items() if mask is not None]
    assert len(paths) >= 2
    masks = prune_by_magnitude(trained.params, masks, 0.5, "layer")
    form = BinaryForm.of(dict.fromkeys(paths, Binarizer(2, "channel")))
    recipe = Recipe(Forward(TASK, network, form), OPTIM, seed=0)
    params = apply_masks(trained.params, masks)
    before = evaluate(recipe.forward, params, trained.state, masks, data.validation)[1]
    result = train(recipe, params, trained.state, masks, data.train, data.validation, tmp_path)
    assert result.validation_metric < before
