"""The ResNets against their definition in NumPy, whole and in parts, as arrays and as coded weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xorjax.codec.trained import TrainedCode
from xorjax.codec.xor import XorCode
from xorjax.data import DATASETS
from xorjax.masks import encode_mask
from xorjax.models import MODELS, create_model, merge
from xorjax.models.registry import state_of
from xorjax.models.resnet import Conv3x3, Stem
from xorjax.tasks.images import ImagesTask
from xorjax.weights import CodedWeight

CIFAR = ImagesTask.datasets["cifar10"]
N_PARAMS = {"resnet8": 75_290, "resnet20": 269_722, "resnet32": 464_154}


def images(n=3, side=32, channels=3):
    return jnp.asarray(np.random.default_rng(0).uniform(size=(n, side, side, channels)), jnp.float32)


def noisy(arrays):
    """No scale is 1, no bias 0, no variance negative."""
    rng = np.random.default_rng(1)
    return {
        path: value + jnp.asarray(rng.uniform(0, 0.1, value.shape), jnp.float32)
        for path, value in arrays.items()
    }


@pytest.fixture(scope="module")
def initial():
    return create_model("resnet8", 0, CIFAR)


@pytest.fixture(scope="module")
def made(initial):
    network, params, state = initial
    return network, noisy(params), noisy(state)


def convolved(x, kernel, stride):
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows[:, ::stride, ::stride], kernel)


def by_definition(params, state, x, mean, std):
    held = {path: np.asarray(value, np.float64) for path, value in {**params, **state}.items()}

    def normed(x, name):
        x = (x - held[f"{name}/mean"]) / np.sqrt(held[f"{name}/var"] + 1e-5)
        return x * held[f"{name}/scale"] + held[f"{name}/bias"]

    x = (np.asarray(x, np.float64) - mean) / std
    x = np.maximum(normed(convolved(x, held["stem/conv/kernel"], 1), "stem/norm"), 0)
    blocks = sorted({path.rsplit("/", 2)[0] for path in params if "/block" in path})
    for block in blocks:
        stride = 2 if block in ("group2/block0", "group3/block0") else 1
        y = np.maximum(normed(convolved(x, held[f"{block}/conv1/kernel"], stride), f"{block}/norm1"), 0)
        y = normed(convolved(y, held[f"{block}/conv2/kernel"], 1), f"{block}/norm2")
        y[..., : x.shape[-1]] += x[:, ::stride, ::stride]
        x = np.maximum(y, 0)
    assert x.shape[-1] == 64
    return x.mean(axis=(1, 2)) @ held["head/kernel"] + held["head/bias"]


@pytest.mark.parametrize("name", N_PARAMS)
def test_parameters(name):
    module = nnx.eval_shape(lambda: MODELS[name](rngs=nnx.Rngs(0)))
    params, state = (
        {
            "/".join(map(str, path)): value.get_value()
            for path, value in nnx.to_flat_state(nnx.state(module, kind))
        }
        for kind in (nnx.Param, nnx.BatchStat)
    )
    assert sum(value.size for value in params.values()) == N_PARAMS[name]
    kernels = {path: value for path, value in params.items() if path.endswith("/kernel")}
    assert set(kernels) == {f"{layer}/kernel" for layer in MODELS[name].layers}
    # A convolution has four vectors of normalization: all but 640 of the linear layer's weights and its 10 biases.
    channels = sum(value.shape[-1] for path, value in kernels.items() if path != "head/kernel")
    assert sum(value.size for value in kernels.values()) + 2 * channels + 10 == N_PARAMS[name]
    assert sum(value.size for value in state.values()) == 2 * channels


def test_initial_kernels_are_he_et_al_s(initial):
    """For the rectifier the variance is 2 over the inputs (2015)."""
    _, params, _ = initial
    for path, inputs in (("group3/block0/conv2/kernel", 576), ("group3/block0/conv1/kernel", 288)):
        assert abs(float(params[path].std()) / np.sqrt(2 / inputs) - 1) < 0.02


@pytest.mark.parametrize("name", ["resnet8", "resnet20"])
def test_forward_is_the_definition(name):
    network, params, state = create_model(name, 0, CIFAR)
    params, state = noisy(params), noisy(state)
    logits = jax.jit(lambda x: merge(network, params, state)(x))(images(3, 16))
    mean, std = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
    expected = by_definition(params, state, images(3, 16), mean, std)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_parts_compose(made):
    network, params, state = made
    model = merge(network, params, state)
    x, whole = images(1, 8), model(images(1, 8))
    for block in range(len(model.blocks)):
        x = model(x, block, block + 1)
    np.testing.assert_array_equal(x, whole)


def test_other_data_sets_have_their_own_channels():
    stem = Stem((0.0,), (1.0,), rngs=nnx.Rngs(0))
    stem.eval()
    # Pixels that are only scaled to [0, 1], and statistics that change nothing but by the 1e-5.
    expected = np.maximum(convolved(np.asarray(images(2, 8, 1)), np.asarray(stem.conv.kernel[...]), 1), 0)
    np.testing.assert_allclose(stem(images(2, 8, 1)), expected, rtol=1e-4, atol=1e-5)


def test_the_catalogue_says_what_channels_are_like():
    for spec in DATASETS.values():
        assert len(spec.mean) == len(spec.std) == spec.image_shape[2]
    assert DATASETS["mnist"].mean == DATASETS["fashion_mnist"].mean == (0.0,)


def test_training_normalizes_by_the_batch_and_moves_the_statistics(made):
    network, params, state = made
    model = merge(network, params, state, jax.random.key(0))
    model(images(4, 8))
    moved = state_of(network, model)
    assert all((np.asarray(moved[path]) != np.asarray(state[path])).all() for path in state)
    x = (np.asarray(images(4, 8)) - CIFAR["mean"]) / CIFAR["std"]
    of_batch = convolved(x, np.asarray(params["stem/conv/kernel"]), 1).mean(axis=(0, 1, 2))
    expected = 0.9 * np.asarray(state["stem/norm/mean"]) + 0.1 * of_batch
    np.testing.assert_allclose(moved["stem/norm/mean"], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("code", [XorCode(n_in=8, n_out=20), TrainedCode(n_out=20)], ids=["xor", "trained"])
def test_kernels_may_be_coded_weights(code):
    """Windows of 9 x 3 inputs: no multiple of the trained code's slices."""
    rng, layer = np.random.default_rng(2), Conv3x3(3, 5, 2, rngs=nnx.Rngs(0))
    weight = np.asarray(layer.kernel[...])
    keep = np.ones(weight.shape, bool) if code.trained else rng.random(weight.shape) < 0.3
    planes = (
        code.project(weight)[None] & keep if code.trained else (rng.random((1, *weight.shape)) < 0.5) & keep
    )
    index = None if code.trained else encode_mask(keep, "ans_rc")
    values = code.encode(planes, None if code.trained else keep)
    layer.kernel = nnx.Param(CodedWeight.of(values, index, np.full((1, 1, 1, 1, 1), 0.1, np.float32)))
    split, x = nnx.split(layer), images(2, 6)
    found = jax.jit(lambda split, x: nnx.merge(*split)(x))(split, x)
    expected = convolved(np.asarray(x), np.where(planes[0], 0.1, -0.1) * keep, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
