"""The LeNets against their definition in NumPy, whole and in parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xorjax.models import MODELS, create_model, merge
from xorjax.models.lenet import max_pool

SHAPES = {
    "lenet5": {
        "conv1/bias": (20,),
        "conv1/kernel": (5, 5, 1, 20),
        "conv2/bias": (50,),
        "conv2/kernel": (5, 5, 20, 50),
        "fc1/bias": (500,),
        "fc1/kernel": (800, 500),
        "fc2/bias": (10,),
        "fc2/kernel": (500, 10),
    },
    "lenet5_wide": {
        "conv1/bias": (32,),
        "conv1/kernel": (5, 5, 1, 32),
        "conv2/bias": (64,),
        "conv2/kernel": (5, 5, 32, 64),
        "fc1/bias": (512,),
        "fc1/kernel": (1024, 512),
        "fc2/bias": (10,),
        "fc2/kernel": (512, 10),
    },
    "lenet300": {
        "fc1/bias": (300,),
        "fc1/kernel": (784, 300),
        "fc2/bias": (100,),
        "fc2/kernel": (300, 100),
        "fc3/bias": (10,),
        "fc3/kernel": (100, 10),
    },
    "wide_fc": {
        "conv1/bias": (20,),
        "conv1/kernel": (5, 5, 1, 20),
        "conv2/bias": (64,),
        "conv2/kernel": (5, 5, 20, 64),
        "fc1/bias": (2048,),
        "fc1/kernel": (1024, 2048),
        "fc2/bias": (1024,),
        "fc2/kernel": (2048, 1024),
        "fc3/bias": (10,),
        "fc3/kernel": (1024, 10),
    },
}
N_PARAMS = {"lenet5": 431_080, "lenet5_wide": 582_026, "lenet300": 266_610, "wide_fc": 4_240_210}


def images(n=3):
    return jnp.asarray(np.random.default_rng(0).uniform(size=(n, 28, 28, 1)), jnp.float32)


def noisy(params):
    """Parameters with biases that are not 0."""
    rng = np.random.default_rng(1)
    return {
        key: value + jnp.asarray(rng.normal(0, 0.05, value.shape), jnp.float32)
        for key, value in params.items()
    }


def by_definition(name, params, x):
    params = {key: np.asarray(value, np.float64) for key, value in params.items()}
    x = np.asarray(x, np.float64)
    layers = sorted({key.split("/")[0] for key in params})
    for layer in layers:
        kernel, bias = params[f"{layer}/kernel"], params[f"{layer}/bias"]
        if kernel.ndim == 4:
            windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
            x = np.einsum("bhwcij,ijco->bhwo", windows, kernel) + bias
            x = np.max([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0)
        else:
            x = x.reshape(len(x), -1) @ kernel + bias
        if layer != layers[-1]:
            x = np.maximum(x, 0)
    return x


@pytest.mark.parametrize("name", SHAPES)
def test_parameters(name):
    _, params, state = create_model(name, 0)
    assert not state
    assert {key: value.shape for key, value in params.items()} == SHAPES[name]
    assert sum(value.size for value in params.values()) == N_PARAMS[name]
    assert {value.dtype for value in params.values()} == {jnp.dtype("float32")}


@pytest.mark.parametrize("name", SHAPES)
def test_forward_is_the_definition(name):
    network, params, _ = create_model(name, 0)
    params = noisy(params)
    logits = jax.jit(lambda params, x: merge(network, params)(x))(params, images())
    np.testing.assert_allclose(logits, by_definition(name, params, images()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_parts_compose(name):
    network, params, _ = create_model(name, 0)
    model = merge(network, noisy(params))
    whole = model(images())
    for cut in range(len(model.blocks) + 1):
        np.testing.assert_array_equal(model(model(images(), stop=cut), start=cut), whole)


def test_features_of_the_convolutions_are_the_inputs_of_fc1():
    network, params, _ = create_model("lenet5", 0)
    model = merge(network, params)
    assert model.blocks.index("fc1") == 2
    assert model(images(), stop=2).shape == (3, 800)


@pytest.mark.parametrize("name", SHAPES)
def test_the_seed_decides_the_parameters_and_nothing_else(name):
    network, params, _ = create_model(name, 0)
    same_network, same, _ = create_model(name, 0)
    other_network, other, _ = create_model(name, 1)
    assert network == same_network == other_network
    assert hash(network) == hash(other_network)
    kernels = [key for key in params if key.endswith("kernel")]
    assert all(np.array_equal(params[key], same[key]) for key in params)
    assert not any(np.array_equal(params[key], other[key]) for key in kernels)


@pytest.mark.parametrize("name", SHAPES)
def test_a_fresh_model_keeps_the_scale_of_its_input(name):
    network, params, _ = create_model(name, 0)
    logits = merge(network, params)(images(64))
    assert 0.1 < float(logits.std()) < 3


def test_a_layer_can_be_replaced():
    class Zero(nnx.Module):
        def __call__(self, x):
            return jnp.zeros((x.shape[0], 500))

    network, params, _ = create_model("lenet5", 0)
    model = merge(network, noisy(params))
    model.fc1 = Zero()
    np.testing.assert_allclose(model(images()), np.broadcast_to(model.fc2.bias[...], (3, 10)))


def test_max_pool_is_reduce_window():
    x = jnp.asarray(np.random.default_rng(2).normal(size=(2, 6, 8, 3)), jnp.float32)
    expected = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    np.testing.assert_array_equal(max_pool(x), expected)


def test_unknown_models_name_the_nearest():
    with pytest.raises(ValueError, match=r"there is no model 'lenet-5'; .* the nearest is lenet5"):
        create_model("lenet-5", 0)


@pytest.mark.parametrize("name", SHAPES)
def test_models_state_their_layers(name):
    model, (_, params, _) = MODELS[name], create_model(name, 0, {"n_classes": 7, "n_train": 5})
    assert {f"{layer}/kernel" for layer in model.layers} == {key for key in params if key.endswith("kernel")}
    kernels = [params[f"{layer}/kernel"] for layer in model.layers]
    assert kernels[-1].shape[-1] == 7
    for kernel, after in model.following.items():
        assert params[after].size % params[kernel].shape[-1] == 0


@pytest.mark.parametrize(
    ("name", "kernel", "first"),
    [
        ("lenet5", "conv2/kernel", [-0.11999955773353577, 0.007192250341176987, -0.0032659219577908516]),
        ("lenet300", "fc3/kernel", [0.16546045243740082, 0.225800558924675, 0.03588356822729111]),
    ],
)
def test_initial_parameters_are_those_that_results_were_made_with(name, kernel, first):
    np.testing.assert_allclose(create_model(name, 3)[1][kernel].ravel()[:3], first, rtol=1e-5)
