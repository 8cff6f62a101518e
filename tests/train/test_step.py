"""The steps against NumPy: losses, counts, padding, and weights that must not move."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.config.schema import OptimConfig
from xorjax.data.batches import Batch, eval_batches
from xorjax.models import create_model, merge
from xorjax.train.optimizer import Optimizer
from xorjax.train.step import (
    TrainState,
    cross_entropy,
    eval_step,
    mask_updates,
    plain,
    scale_inputs,
    train_step,
)


@dataclass(frozen=True)
class Doubled:
    """Forms weights from parameters, as pruning and quantization do."""

    layer: str

    def __call__(self, params, masks):
        return {key: 2 * value if key.startswith(self.layer) else value for key, value in params.items()}


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_is_the_definition(smoothing):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 10)), rng.integers(0, 10, 6)
    target = (1 - smoothing) * np.eye(10)[labels] + smoothing / 10
    losses = cross_entropy(jnp.asarray(logits, jnp.float32), jnp.asarray(labels, jnp.int32), smoothing)
    np.testing.assert_allclose(losses, -(target * log_softmax(logits)).sum(axis=1), rtol=1e-5)


def test_images_are_scaled_and_features_are_not():
    images = jnp.array([[0, 51, 255]], jnp.uint8)
    np.testing.assert_allclose(scale_inputs(images), [[0, 0.2, 1]], rtol=1e-6)
    features = jnp.array([[0.0, 51.0, -3.0]])
    assert scale_inputs(features) is features


def test_updates_of_pruned_weights_are_zero():
    masks = {"fc1/kernel": jnp.array([True, False]), "fc1/bias": None}
    updates = mask_updates({"fc1/kernel": jnp.array([1.0, jnp.nan]), "fc1/bias": jnp.ones(2)}, masks)
    assert updates["fc1/kernel"].tolist() == [1.0, 0.0]
    assert updates["fc1/bias"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_pruned_weights_never_move(params, masks, splits, name):
    graphdef, _ = create_model("lenet300", 0)
    optimizer = Optimizer(OptimConfig(name=name, weight_decay=0.1, batch_size=16), 3)
    trained = {key: jnp.array(value, copy=True) for key, value in params.items() if not key.startswith("fc1")}
    frozen = {key: value for key, value in params.items() if key.startswith("fc1")}
    state = TrainState(trained, optimizer.init(trained), jnp.int32(0))
    train, _ = splits
    for batch in eval_batches(train, 16):
        state, metrics = train_step(graphdef, optimizer, plain, 1, state, frozen, masks, batch)
    pruned = ~np.asarray(masks["fc2/kernel"])
    before, after = np.asarray(params["fc2/kernel"]), np.asarray(state.params["fc2/kernel"])
    assert np.array_equal(before[pruned], after[pruned])
    assert (before != after)[~pruned].mean() > 0.9
    assert int(state.step) == 3
    assert 0 <= float(metrics["correct"]) <= 16


def test_a_step_is_a_step_of_sgd(params, splits):
    """One step of plain gradient descent on the smoothed loss, with weights formed from the parameters."""
    graphdef, _ = create_model("lenet300", 0)
    train, _ = splits
    batch = Batch(train.inputs[:8], train.labels[:8], np.ones(8, np.float32))
    config = OptimConfig(
        name="sgd", learning_rate=0.5, label_smoothing=0.1, batch_size=8, schedule="constant"
    )
    optimizer, weights = Optimizer(config, 1), Doubled("fc3")

    def loss(kernel):
        hidden = np.maximum(
            train.inputs[:8] @ np.asarray(params["fc2/kernel"]) + np.asarray(params["fc2/bias"]), 0
        )
        logits = log_softmax(hidden @ (2 * kernel) + 2 * np.asarray(params["fc3/bias"]))
        target = 0.9 * np.eye(10)[train.labels[:8]] + 0.01
        return -(target * logits).sum(axis=1).mean()

    state = TrainState(jax.tree.map(jnp.copy, params), optimizer.init(params), jnp.int32(0))
    state, metrics = train_step(graphdef, optimizer, weights, 1, state, {}, dict.fromkeys(params), batch)
    kernel = np.asarray(params["fc3/kernel"], np.float64)
    assert float(metrics["loss"]) == pytest.approx(loss(kernel), rel=1e-4)
    for index in [(0, 0), (50, 3), (99, 9)]:
        nudge = np.zeros_like(kernel)
        nudge[index] = 1e-5
        slope = (loss(kernel + nudge) - loss(kernel - nudge)) / 2e-5
        assert float(state.params["fc3/kernel"][index]) == pytest.approx(
            kernel[index] - 0.5 * slope, abs=1e-5
        )


def test_padding_does_not_count(params, splits):
    graphdef, _ = create_model("lenet300", 0)
    masks = dict.fromkeys(params)
    _, validation = splits
    logits = np.asarray(merge(graphdef, params)(jnp.asarray(validation.inputs), start=1))
    loss = -log_softmax(logits)[np.arange(validation.size), validation.labels].sum()
    correct = (logits.argmax(axis=1) == validation.labels).sum()
    for batch_size in (1, 7, 20, 64):
        sums = [eval_step(graphdef, plain, 1, params, masks, b) for b in eval_batches(validation, batch_size)]
        totals = {key: sum(float(of_batch[key]) for of_batch in sums) for key in ("loss", "correct", "n")}
        assert totals["n"] == validation.size
        assert totals["correct"] == correct
        assert totals["loss"] == pytest.approx(loss, rel=1e-4)


def test_padding_does_not_train(params, splits):
    graphdef, _ = create_model("lenet300", 0)
    optimizer = Optimizer(OptimConfig(name="sgd"), 1)
    train, _ = splits

    def kernel_after(inputs, valid):
        state = TrainState(jax.tree.map(jnp.copy, params), optimizer.init(params), jnp.int32(0))
        batch = Batch(inputs, train.labels[:8], np.asarray(valid, np.float32))
        state, _ = train_step(graphdef, optimizer, plain, 1, state, {}, dict.fromkeys(params), batch)
        return np.asarray(state.params["fc3/kernel"])

    valid = [1] * 6 + [0] * 2
    other = train.inputs[:8].copy()
    other[6:] = 7.0
    assert np.array_equal(kernel_after(train.inputs[:8], valid), kernel_after(other, valid))
    assert not np.array_equal(kernel_after(train.inputs[:8], [1] * 8), kernel_after(other, [1] * 8))


def test_equal_settings_compile_once(params, splits):
    train, _ = splits
    batch = Batch(train.inputs[:8], train.labels[:8], np.ones(8, np.float32))

    def step():
        graphdef, _ = create_model("lenet300", 5)
        optimizer = Optimizer(OptimConfig(epochs=77), 1)
        state = TrainState(jax.tree.map(jnp.copy, params), optimizer.init(params), jnp.int32(0))
        train_step(graphdef, optimizer, Doubled("fc2"), 1, state, {}, dict.fromkeys(params), batch)

    step()
    compiled = train_step._cache_size()
    step()
    assert train_step._cache_size() == compiled
