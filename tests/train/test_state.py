"""A model's state: statistics move in training and decide in evaluation, dropout is training's alone, both resume."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from resuming import Killed, assert_same, kill_after, same_arrays

from xorjax.config.schema import OptimConfig
from xorjax.data import Split
from xorjax.models.registry import ModelError, initialize, merge, run, state_of
from xorjax.tasks.images import ImagesTask
from xorjax.train import Forward, Recipe, TrainingError, evaluate, predict, score, train

TASK = ImagesTask()


class Normed(nnx.Module):
    """No blocks; layers within a layer, in a list as well."""

    dropout_rate = 0.3

    def __init__(self, *, rngs, n_classes=10):
        self.body = nnx.List([nnx.Linear(16, 12, use_bias=False, rngs=rngs)])
        self.norm = nnx.BatchNorm(12, momentum=0.8, rngs=rngs)
        self.dropout = nnx.Dropout(self.dropout_rate, rngs=rngs)
        self.head = nnx.Linear(12, n_classes, rngs=rngs)

    def __call__(self, x):
        x = self.body[0](x.reshape(x.shape[0], -1))
        return self.head(self.dropout(nnx.relu(self.norm(x))))


class WithoutDropout(Normed):
    dropout_rate = 0.0


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, (10, 4, 4, 1))
    labels = rng.integers(0, 10, 90).astype(np.int32)
    images = np.clip(patterns[labels] + rng.normal(0, 25, (90, 4, 4, 1)), 0, 255).astype(np.uint8)
    return Split(images[:64], labels[:64]), Split(images[64:], labels[64:])


@pytest.fixture(scope="module")
def made():
    return initialize(Normed, 0, TASK.datasets["mnist"])


def recipe_of(network, **changes):
    optim = OptimConfig(epochs=4, batch_size=8, learning_rate=3e-2, warmup_epochs=0.0)
    return replace(Recipe(Forward(TASK, network), optim, seed=0), **changes)


@pytest.fixture(scope="module")
def trained(made, splits, tmp_path_factory):
    network, params, state = made
    masks = dict.fromkeys(params)
    return train(
        recipe_of(network),
        params,
        state,
        masks,
        *splits,
        tmp_path_factory.mktemp("whole"),
        keep_epochs=(0, 1, 2, 3, 4),
    )


def test_parameters_and_state_are_two_flat_dicts(made):
    _, params, state = made
    assert {path: value.shape for path, value in state.items()} == {"norm/mean": (12,), "norm/var": (12,)}
    assert sorted(params) == ["body/0/kernel", "head/bias", "head/kernel", "norm/bias", "norm/scale"]


def test_a_file_s_arrays_come_apart_again(made):
    network, params, state = made
    assert network.split({**params, **state}) == (params, state)


def test_statistics_move_towards_those_of_the_data(made, trained, splits):
    _, _, state = made
    kept = trained.kept
    means = [np.asarray(kept[epoch].state["norm/mean"]) for epoch in (0, 1, 2)]
    assert np.array_equal(means[0], state["norm/mean"])
    assert (means[0] != means[1]).all()
    assert (means[1] != means[2]).all()
    inputs = splits[0].inputs.reshape(64, 16) / 255
    of_data = (inputs @ np.asarray(kept[4].params["body/0/kernel"])).mean(axis=0)
    assert np.abs(np.asarray(kept[4].state["norm/mean"]) - of_data).max() < 0.25 * np.abs(of_data).max()


def test_one_step_moves_them_by_their_momentum(made, splits):
    network, params, state = made
    x = jnp.asarray(splits[0].inputs[:16])
    module = merge(network, params, state, jax.random.key(1))
    run(module, TASK.transform(x))
    of_batch = (np.asarray(x).reshape(16, 16) / 255 @ np.asarray(params["body/0/kernel"])).mean(axis=0)
    np.testing.assert_allclose(state_of(network, module)["norm/mean"], 0.2 * of_batch, rtol=1e-4, atol=1e-6)


def test_evaluation_does_not_depend_on_the_rest_of_the_batch(made, trained, splits):
    model = merge(made[0], trained.params, trained.state)
    whole = predict(TASK, model, splits[1])
    for batch_size in (1, 5):
        np.testing.assert_allclose(predict(TASK, model, splits[1], batch_size=batch_size), whole, atol=1e-5)
    alone = Split(splits[1].inputs[3:4], splits[1].targets[3:4])
    np.testing.assert_allclose(predict(TASK, model, alone), whole[3:4], atol=1e-5)


def test_the_state_is_that_of_the_best_epoch(made, trained, splits):
    forward, masks = Forward(TASK, made[0]), dict.fromkeys(trained.params)
    best = trained.kept[trained.best_epoch]
    assert same_arrays(best.state, trained.state)
    _, metric = evaluate(forward, trained.params, trained.state, masks, splits[1])
    assert metric == trained.validation_metric > 0.3
    outputs = predict(TASK, merge(made[0], trained.params, trained.state), splits[1])
    assert score(TASK, outputs, splits[1]) == metric


@pytest.mark.parametrize("epoch", [1, 3])
def test_killed_it_resumes_to_the_same_bits(made, trained, splits, tmp_path, epoch):
    network, params, state = made
    arguments = (recipe_of(network), params, state, dict.fromkeys(params), *splits, tmp_path)
    keep = {"keep_epochs": (0, 1, 2, 3, 4)}
    with pytest.raises(Killed):
        train(*arguments, **keep, on_epoch=kill_after(epoch))
    assert_same(train(*arguments, **keep), trained)


def test_dropout_draws_anew_each_step_and_never_in_evaluation(made, splits):
    network, params, state = made
    x = TASK.transform(jnp.asarray(splits[0].inputs[:16]))

    def outputs(key):
        return np.asarray(run(merge(network, params, state, key), x))

    first, same, other = (outputs(jax.random.key(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    without, _, _ = initialize(WithoutDropout, 0, TASK.datasets["mnist"])
    assert np.array_equal(
        *(np.asarray(run(merge(either, params, state), x)) for either in (network, without))
    )


def test_the_seed_decides_what_dropout_draws(made, trained, splits, tmp_path):
    network, params, state = made
    optim = OptimConfig(epochs=1, batch_size=64, learning_rate=1e-2, warmup_epochs=0.0)
    losses = [
        train(
            recipe_of(network, seed=seed, optim=optim),
            params,
            state,
            dict.fromkeys(params),
            *splits,
            tmp_path / f"{name}",
        ).history[0]["train_loss"]
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    ]
    assert losses[0] == losses[1]
    # One batch of all examples: only the dropped units differ.
    assert abs(losses[0] - losses[2]) > 1e-3


def test_the_state_of_frozen_layers_stays(made, splits, tmp_path):
    network, params, state = made
    recipe = recipe_of(network, frozen=frozenset({"body", "norm"}))
    result = train(recipe, params, state, dict.fromkeys(params), *splits, tmp_path)
    assert same_arrays(result.state, state)
    moved = {path for path in params if not np.array_equal(result.params[path], params[path])}
    assert moved == {"head/kernel", "head/bias"}


def test_the_whole_output_is_looked_at_where_there_are_no_blocks(made, splits, tmp_path):
    network, params, state = made
    recipe = recipe_of(network)
    dead = replace(
        recipe.forward, form=lambda params, masks: params | {"norm/scale": 0 * params["norm/scale"]}
    )
    with pytest.raises(
        TrainingError, match="the model has collapsed: its output is the same for every example"
    ):
        train(replace(recipe, forward=dead), params, state, dict.fromkeys(params), *splits, tmp_path)


class Caching(nnx.Module):
    def __init__(self, *, rngs):
        self.inner = nnx.Linear(2, 2, rngs=rngs)
        self.inner.seen = nnx.Cache(jnp.zeros(2))


class Noting(nnx.Module):
    def __init__(self, *, rngs):
        self.inner = nnx.Linear(2, 2, rngs=rngs)

    def __call__(self, x):
        self.seen = nnx.Intermediate(x)
        return self.inner(x)


def test_a_kind_of_variable_that_nobody_handles_is_refused_by_name():
    with pytest.raises(
        ModelError, match=r"'inner/seen' is of kind Cache, .* must be one of nnx.Param, nnx.Batch"
    ):
        initialize(Caching, 0)
    network, params, state = initialize(Noting, 0)
    module = merge(network, params, state, jax.random.key(0))
    run(module, jnp.ones((1, 2)))
    with pytest.raises(ModelError, match="'seen' appears in the forward pass"):
        state_of(network, module)


@jax.tree_util.register_pytree_node_class
class Tripled:
    """A weight that is not an array."""

    def __init__(self, third):
        self.third = third

    def __rmatmul__(self, x):
        return 3 * (x @ self.third)

    def tree_flatten(self):
        return (self.third,), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


class Product(nnx.Module):
    def __init__(self, *, rngs):
        self.kernel = nnx.Param(jax.random.normal(rngs.params(), (16, 10)))

    def __call__(self, x):
        return x.reshape(x.shape[0], -1) @ self.kernel.get_value()


def test_a_parameter_may_be_any_pytree(splits):
    network, params, _ = initialize(Product, 0)
    outputs = predict(TASK, merge(network, params), splits[1])
    third = merge(network, {"kernel": Tripled(params["kernel"] / 3)})
    np.testing.assert_allclose(predict(TASK, third, splits[1]), outputs, atol=1e-5)
