"""The steps against NumPy: losses, counts, padding, and weights that must not move."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.config.schema import OptimConfig
from xorjax.data.batches import Batch, eval_batches
from xorjax.models import create_model, merge
from xorjax.tasks.images import ImagesTask
from xorjax.train.optimizer import Optimizer
from xorjax.train.step import Forward, TrainState, eval_step, mask_updates, train_step

KEY = jax.random.key(0)


@dataclass(frozen=True)
class Doubled:
    """Forms weights from parameters, as pruning and quantization do."""

    layer: str

    def __call__(self, params, masks):
        return {key: 2 * value if key.startswith(self.layer) else value for key, value in params.items()}


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_updates_of_pruned_weights_are_zero():
    masks = {"fc1/kernel": jnp.array([True, False]), "fc1/bias": None}
    updates = mask_updates({"fc1/kernel": jnp.array([1.0, jnp.nan]), "fc1/bias": jnp.ones(2)}, masks)
    assert updates["fc1/kernel"].tolist() == [1.0, 0.0]
    assert updates["fc1/bias"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_pruned_weights_never_move(forward, params, masks, splits, name):
    optimizer = Optimizer(OptimConfig(name=name, weight_decay=0.1, batch_size=16), 3)
    trained = {key: jnp.array(value, copy=True) for key, value in params.items() if not key.startswith("fc1")}
    frozen = {key: value for key, value in params.items() if key.startswith("fc1")}
    state = TrainState(trained, {}, optimizer.init(trained), jnp.int32(0))
    train, _ = splits
    for batch in eval_batches(train, 16):
        state, metrics = train_step(forward, optimizer, state, (frozen, {}), masks, KEY, batch)
    pruned = ~np.asarray(masks["fc2/kernel"])
    before, after = np.asarray(params["fc2/kernel"]), np.asarray(state.params["fc2/kernel"])
    assert np.array_equal(before[pruned], after[pruned])
    assert (before != after)[~pruned].mean() > 0.9
    assert int(state.step) == 3
    assert 0 <= float(metrics["sums"]["correct"]) <= float(metrics["sums"]["n"]) == 16


def test_a_step_is_a_step_of_sgd(forward, params, splits):
    """One step of plain gradient descent on the smoothed loss, with weights formed from the parameters."""
    train, _ = splits
    batch = Batch(train.inputs[:8], train.targets[:8], np.ones(8, np.float32))
    config = OptimConfig(
        name="sgd", learning_rate=0.5, label_smoothing=0.1, batch_size=8, schedule="constant"
    )
    optimizer, forward = Optimizer(config, 1), replace(forward, form=Doubled("fc3"))

    def loss(kernel):
        hidden = np.maximum(
            train.inputs[:8] @ np.asarray(params["fc2/kernel"]) + np.asarray(params["fc2/bias"]), 0
        )
        logits = log_softmax(hidden @ (2 * kernel) + 2 * np.asarray(params["fc3/bias"]))
        target = 0.9 * np.eye(10)[train.targets[:8]] + 0.01
        return -(target * logits).sum(axis=1).mean()

    state = TrainState(jax.tree.map(jnp.copy, params), {}, optimizer.init(params), jnp.int32(0))
    state, metrics = train_step(forward, optimizer, state, ({}, {}), dict.fromkeys(params), KEY, batch)
    kernel = np.asarray(params["fc3/kernel"], np.float64)
    assert float(metrics["loss"]) == pytest.approx(loss(kernel), rel=1e-4)
    for index in [(0, 0), (50, 3), (99, 9)]:
        nudge = np.zeros_like(kernel)
        nudge[index] = 1e-5
        slope = (loss(kernel + nudge) - loss(kernel - nudge)) / 2e-5
        assert float(state.params["fc3/kernel"][index]) == pytest.approx(
            kernel[index] - 0.5 * slope, abs=1e-5
        )


def test_a_teacher_has_its_share_of_the_loss(forward, params, splits):
    """The loss by the formula, in float64, and no gradient into the teacher."""
    train, _ = splits
    batch = Batch(train.inputs[:8], train.targets[:8], np.ones(8, np.float32))
    config = OptimConfig(distill=0.25, temperature=3.0, label_smoothing=0.0, batch_size=8)
    other = {key: jnp.asarray(np.roll(value, 1, axis=-1)) for key, value in params.items()}

    def logits(arrays):
        return np.asarray(merge(forward.network, arrays)(jnp.asarray(batch.inputs), start=1), np.float64)

    own, taught = logits(params), logits(other)
    hard = -log_softmax(own)[np.arange(8), batch.targets].mean()
    soft = -9.0 * (np.exp(log_softmax(taught / 3)) * log_softmax(own / 3)).sum(axis=1).mean()
    optimizer = Optimizer(config, 1)
    for teacher, wanted in (((other, {}), 0.75 * hard + 0.25 * soft), (None, hard)):
        state = TrainState(jax.tree.map(jnp.copy, params), {}, optimizer.init(params), jnp.int32(0))
        _, metrics = train_step(
            forward, optimizer, state, ({}, {}), dict.fromkeys(params), KEY, batch, teacher
        )
        assert float(metrics["loss"]) == pytest.approx(wanted, rel=1e-4)


def test_padding_does_not_count(forward, params, splits):
    masks = dict.fromkeys(params)
    _, validation = splits
    logits = np.asarray(merge(forward.network, params)(jnp.asarray(validation.inputs), start=1))
    loss = -log_softmax(logits)[np.arange(validation.size), validation.targets].sum()
    correct = (logits.argmax(axis=1) == validation.targets).sum()
    for batch_size in (1, 7, 20, 64):
        steps = [eval_step(forward, params, {}, masks, b) for b in eval_batches(validation, batch_size)]
        assert sum(float(of_batch["n"]) for of_batch in steps) == validation.size
        assert sum(float(of_batch["sums"]["n"]) for of_batch in steps) == validation.size
        assert sum(float(of_batch["sums"]["correct"]) for of_batch in steps) == correct
        assert sum(float(of_batch["loss"]) for of_batch in steps) == pytest.approx(loss, rel=1e-4)


def test_padding_does_not_train(forward, params, splits):
    optimizer = Optimizer(OptimConfig(name="sgd"), 1)
    train, _ = splits

    def kernel_after(inputs, valid):
        state = TrainState(jax.tree.map(jnp.copy, params), {}, optimizer.init(params), jnp.int32(0))
        batch = Batch(inputs, train.targets[:8], np.asarray(valid, np.float32))
        state, _ = train_step(forward, optimizer, state, ({}, {}), dict.fromkeys(params), KEY, batch)
        return np.asarray(state.params["fc3/kernel"])

    valid = [1] * 6 + [0] * 2
    other = train.inputs[:8].copy()
    other[6:] = 7.0
    assert np.array_equal(kernel_after(train.inputs[:8], valid), kernel_after(other, valid))
    assert not np.array_equal(kernel_after(train.inputs[:8], [1] * 8), kernel_after(other, [1] * 8))


def test_equal_settings_compile_once(params, splits):
    train, _ = splits
    batch = Batch(train.inputs[:8], train.targets[:8], np.ones(8, np.float32))

    def step():
        forward = Forward(ImagesTask(), create_model("lenet300", 5)[0], Doubled("fc2"), 1)
        optimizer = Optimizer(OptimConfig(epochs=77), 1)
        state = TrainState(jax.tree.map(jnp.copy, params), {}, optimizer.init(params), jnp.int32(0))
        train_step(forward, optimizer, state, ({}, {}), dict.fromkeys(params), KEY, batch)

    step()
    compiled = train_step._cache_size()
    step()
    assert train_step._cache_size() == compiled
