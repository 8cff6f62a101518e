"""What a model remembers goes from batch to batch, begins anew in each epoch and evaluation, and is kept nowhere."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from language_models import LOGITS, N_WORDS, TinyLSTM, TinyTransformer, log_softmax, stronger, text
from resuming import Killed, assert_same, kill_after

from xorjax.config.schema import OptimConfig
from xorjax.models.registry import initialize, merge
from xorjax.tasks.language import LanguageTask, windows
from xorjax.train import Forward, Recipe, evaluate, predict, score, train
from xorjax.train.loop import TrainingError
from xorjax.train.optimizer import Optimizer
from xorjax.train.step import TrainState, memory_of, train_step

TASK = LanguageTask(length=4)
OPTIM = OptimConfig(
    epochs=3, batch_size=3, learning_rate=3e-2, warmup_epochs=0.0, label_smoothing=0.0, clip=1.0
)
TRAIN, VALIDATION = text(150), windows(text(90, seed=1), TASK.length)


class Regularized(TinyLSTM):
    dropout_rate = 0.2


def made(model):
    network, params, state = initialize(model, 0, {"n_classes": N_WORDS})
    return Forward(TASK, network), params, state


def run(work, on_epoch=lambda row: None, **changes):
    forward, params, state = made(Regularized)
    recipe = Recipe(forward, replace(OPTIM, **changes), 0)
    if recipe.optim.distill:
        recipe = replace(recipe, teacher=(stronger(params), state))
    return train(recipe, params, state, dict.fromkeys(params), TRAIN, VALIDATION, work, on_epoch=on_epoch)


def softened(logits, temperature=2.0):
    return log_softmax(logits / temperature)


@pytest.mark.parametrize(("model", "distill"), [(TinyLSTM, 0.0), (TinyLSTM, 0.3), (TinyTransformer, 0.3)])
def test_the_loss_of_each_window_is_that_after_all_words_before(model, distill):
    forward, initial, state = made(model)
    params, teacher = stronger(initial), (stronger(initial, 2.0), state)
    # Steps that change nothing.
    optim = replace(OPTIM, learning_rate=1e-30, distill=distill)
    recipe = Recipe(forward, optim, 0, teacher=teacher if distill else None)
    batches = list(TASK.train_batches(TRAIN, 3, 0, 0))
    optimizer = Optimizer(optim, len(batches))
    running = TrainState(
        jax.tree.map(jnp.copy, params), memory_of(recipe), optimizer.init(params), jnp.int32(0)
    )
    losses = []
    for batch in batches:
        key, masks = jax.random.key(0), dict.fromkeys(params)
        running, of_step = train_step(
            forward, optimizer, running, ({}, {}), masks, key, batch, recipe.teacher
        )
        losses.append(float(of_step["loss"]))
    streams = [np.concatenate([batch.inputs[i] for batch in batches]) for i in range(3)]
    targets = [np.concatenate([batch.targets[i] for batch in batches]) for i in range(3)]
    expected = np.zeros((3, len(batches) * TASK.length))
    for i in range(3):
        said, taught = (LOGITS[model](arrays, streams[i]) for arrays in (params, teacher[0]))
        for j, (own, other) in enumerate(zip(said, taught, strict=True)):
            followed = -4.0 * np.exp(softened(other)) @ softened(own)
            expected[i, j] = distill * followed - (1 - distill) * log_softmax(own)[targets[i][j]]
    np.testing.assert_allclose(
        losses, expected.reshape(3, len(batches), TASK.length).mean(axis=(0, 2)), rtol=1e-4
    )


@pytest.mark.parametrize("distill", [0.0, 0.5])
def test_a_killed_training_resumes_to_the_same(tmp_path, distill):
    whole = run(tmp_path / "whole", distill=distill)
    with pytest.raises(Killed):
        run(tmp_path / "killed", kill_after(2), distill=distill)
    assert_same(run(tmp_path / "killed", distill=distill), whole)
    assert whole.validation_metric < whole.history[0]["validation_metric"] < N_WORDS
    assert whole.state == {}


def test_evaluations_begin_anew(tmp_path):
    forward, _, _ = made(Regularized)
    result = run(tmp_path)
    masks = dict.fromkeys(result.params)
    measured = [evaluate(forward, result.params, result.state, masks, VALIDATION)[1] for _ in range(2)]
    assert measured == [result.validation_metric] * 2
    model = merge(forward.network, result.params, result.state)
    for _ in range(2):
        outputs = predict(TASK, model, VALIDATION)
        assert score(TASK, outputs, VALIDATION) == pytest.approx(result.validation_metric, rel=1e-5)


def test_a_text_shorter_than_a_batch_is_said_before_the_training(tmp_path):
    with pytest.raises(TrainingError, match=r"batch_size: 50 windows of 4 words .*task.length.* 150 words"):
        run(tmp_path, batch_size=50)
