"""Learning rates as tables; update rules against their definition in NumPy."""

from dataclasses import fields

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.config.schema import OptimConfig
from xorjax.settings import stated
from xorjax.train.optimizer import Optimizer

HALF = 0.5 + 0.5 * np.cos(np.pi * 0.5)
CONSTANT = {"schedule": "constant"}


@pytest.mark.parametrize(
    ("config", "table"),
    [
        ({"schedule": "constant"}, {0: 1.0, 5: 1.0, 39: 1.0}),
        ({"schedule": "constant", "warmup_epochs": 0.5}, {0: 0.2, 1: 0.4, 4: 1.0, 5: 1.0, 39: 1.0}),
        ({"schedule": "cosine"}, {0: 1.0, 10: 0.5 + 0.5 * np.cos(np.pi / 4), 20: HALF, 40: 0.0, 50: 0.0}),
        (
            {"schedule": "cosine", "warmup_epochs": 2.0},
            {0: 0.05, 9: 0.5, 19: 1.0, 20: 1.0, 30: HALF, 40: 0.0},
        ),
        ({"schedule": "one_cycle"}, {0: 1.0, 10: 0.75, 20: 0.5, 40: 0.0, 50: 0.0}),
        (
            {"schedule": "one_cycle", "warmup_epochs": 2.0},
            {0: 0.05, 9: 0.5, 19: 1.0, 20: 1.0, 30: 0.5, 40: 0.0},
        ),
        ({"schedule": "step"}, {0: 1.0, 19: 1.0, 20: 0.1, 29: 0.1, 30: 0.01, 39: 0.01}),
        (
            {"schedule": "step", "drops": (0.25,), "drop_factor": 0.5, "warmup_epochs": 1.0},
            {0: 0.1, 9: 1.0, 10: 0.5, 39: 0.5},
        ),
        ({"schedule": "step", "drops": ()}, {0: 1.0, 39: 1.0}),
    ],
)
def test_learning_rates(config, table):
    optimizer = Optimizer(
        OptimConfig(**{"learning_rate": 0.1, "epochs": 4, "warmup_epochs": 0.0, **config}), steps_per_epoch=10
    )
    found = {step: float(optimizer.learning_rate(jnp.int32(step))) for step in table}
    assert found == pytest.approx({step: 0.1 * share for step, share in table.items()}, abs=1e-7)


def adam(gradients, params, decay):
    m = v = 0.0
    for t, gradient in enumerate(gradients, start=1):
        gradient = gradient + decay * params
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        params = params - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return params


def adamw(gradients, params, decay):
    m = v = 0.0
    for t, gradient in enumerate(gradients, start=1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        step = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        params = params - 0.01 * (step + decay * params)
    return params


def sgd(gradients, params, decay):
    momentum = 0.0
    for gradient in gradients:
        momentum = 0.9 * momentum + gradient + decay * params
        params = params - 0.01 * momentum
    return params


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("rule", [adam, adamw, sgd])
def test_rules_are_their_definitions(rule, weight_decay):
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(2, 3)), rng.normal(size=3)
    gradients = [(rng.normal(size=(2, 3)), rng.normal(size=3)) for _ in range(5)]
    config = OptimConfig(name=rule.__name__, learning_rate=0.01, weight_decay=weight_decay, **CONSTANT)
    optimizer = Optimizer(config, 1)
    params = {"fc1/kernel": jnp.asarray(kernel, jnp.float32), "fc1/bias": jnp.asarray(bias, jnp.float32)}
    opt_state = optimizer.init(params)
    for step, (of_kernel, of_bias) in enumerate(gradients):
        gradient = {
            "fc1/kernel": jnp.asarray(of_kernel, jnp.float32),
            "fc1/bias": jnp.asarray(of_bias, jnp.float32),
        }
        updates, opt_state = optimizer.update(gradient, opt_state, params, jnp.int32(step))
        params = jax.tree.map(jnp.add, params, updates)
    expected = rule([g for g, _ in gradients], kernel, weight_decay)
    np.testing.assert_allclose(params["fc1/kernel"], expected, rtol=1e-4, atol=1e-5)
    # Biases do not decay.
    np.testing.assert_allclose(
        params["fc1/bias"], rule([g for _, g in gradients], bias, 0.0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("length", [0.5, 5.0])
def test_longer_gradients_are_scaled_down(length):
    rng = np.random.default_rng(0)
    gradients = {"fc1/kernel": rng.normal(size=(2, 3)), "fc1/bias": rng.normal(size=3)}
    norm = np.sqrt(sum(np.square(gradient).sum() for gradient in gradients.values()))
    gradients = {
        path: jnp.asarray(length / norm * gradient, jnp.float32) for path, gradient in gradients.items()
    }
    optimizer = Optimizer(
        OptimConfig(name="sgd", learning_rate=1.0, clip=2.0, **CONSTANT, warmup_epochs=0.0), 1
    )
    updates, _ = optimizer.update(gradients, optimizer.init(gradients), gradients, jnp.int32(0))
    for path, gradient in gradients.items():
        np.testing.assert_allclose(updates[path], -min(1.0, 2.0 / length) * gradient, rtol=1e-5)


def test_equal_settings_are_equal_values():
    assert Optimizer(OptimConfig(), 7) == Optimizer(OptimConfig(), 7)
    assert hash(Optimizer(OptimConfig(), 7)) == hash(Optimizer(OptimConfig(), 7))
    assert Optimizer(OptimConfig(), 7) != Optimizer(OptimConfig(), 8)


@pytest.mark.parametrize(
    "name", next(stated(own) for own in fields(OptimConfig) if own.name == "name").choices
)
def test_every_name_has_a_rule(name):
    assert Optimizer(OptimConfig(name=name), 1).rule
