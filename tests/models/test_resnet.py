"""The ResNets against their definition in NumPy, whole and in parts, as arrays and as coded weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xorjax.codec import XorCode
from xorjax.codec.trained import TrainedCode
from xorjax.data import DATASETS
from xorjax.masks import encode_mask
from xorjax.models import MODELS, create_model, merge
from xorjax.models.registry import state_of
from xorjax.tasks.images import ImagesTask

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
def made():
    network, params, state = create_model("resnet8", 0, CIFAR)
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
    for group, width in ((1, 16), (2, 32), (3, 64)):
        block, stride = f"group{group}/block0", 1 if group == 1 else 2
        y = np.maximum(normed(convolved(x, held[f"{block}/conv1/kernel"], stride), f"{block}/norm1"), 0)
        y = normed(convolved(y, held[f"{block}/conv2/kernel"], 1), f"{block}/norm2")
        y[..., : x.shape[-1]] += x[:, ::stride, ::stride]
        x = np.maximum(y, 0)
        assert x.shape[-1] == width
    return x.mean(axis=(1, 2)) @ held["head/kernel"] + held["head/bias"]


def test_parameters():
    for name, n_params in N_PARAMS.items():
        _, params, state = create_model(name, 0, CIFAR)
        assert sum(value.size for value in params.values()) == n_params
        assert {f"{layer}/kernel" for layer in MODELS[name].layers} == {
            path for path in params if path.endswith("/kernel")
        }
        kernels = [value for path, value in params.items() if "group" in path and path.endswith("kernel")]
        assert (
            sum(kernel.size for kernel in kernels)
            == n_params - {8: 1562, 20: 2458, 32: 3354}[len(kernels) + 2]
        )
        assert len(state) == 2 * (len(kernels) + 1)
        # He et al. (2015): for the rectifier the variance is 2 over the inputs.
        spread = float(params["group3/block0/conv2/kernel"].std())
        assert abs(spread / np.sqrt(2 / 576) - 1) < 0.02


def test_forward_is_the_definition(made):
    network, params, state = made
    logits = jax.jit(lambda x: merge(network, params, state)(x))(images())
    mean, std = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
    expected = by_definition(params, state, images(), mean, std)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_parts_compose(made):
    network, params, state = made
    model = merge(network, params, state)
    whole = model(images(1))
    for cut in range(len(model.blocks) + 1):
        np.testing.assert_array_equal(model(model(images(1), stop=cut), start=cut), whole)


def test_other_data_sets_have_their_own_channels():
    network, params, state = create_model("resnet8", 0, ImagesTask.datasets["mnist"])
    assert params["stem/conv/kernel"].shape == (3, 3, 1, 16)
    assert merge(network, params, state)(images(2, 28, 1)).shape == (2, 10)
    # And pixels that are only scaled to [0, 1].
    expected = by_definition(params, state, images(2, 28, 1), 0, 1)
    np.testing.assert_allclose(
        merge(network, params, state)(images(2, 28, 1)), expected, rtol=1e-4, atol=1e-4
    )


def test_the_catalogue_says_what_channels_are_like():
    for spec in DATASETS.values():
        assert len(spec.mean) == len(spec.std) == spec.image_shape[2]
    assert DATASETS["mnist"].mean == DATASETS["fashion_mnist"].mean == (0.0,)


def test_training_normalizes_by_the_batch_and_moves_the_statistics(made):
    network, params, state = made
    model = merge(network, params, state, jax.random.key(0))
    model(images(4))
    moved = state_of(network, model)
    assert all((np.asarray(moved[path]) != np.asarray(state[path])).all() for path in state)
    x = (np.asarray(images(4)) - CIFAR["mean"]) / CIFAR["std"]
    of_batch = convolved(x, np.asarray(params["stem/conv/kernel"]), 1).mean(axis=(0, 1, 2))
    expected = 0.9 * np.asarray(state["stem/norm/mean"]) + 0.1 * of_batch
    np.testing.assert_allclose(moved["stem/norm/mean"], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("code", [XorCode(n_in=8, n_out=20), TrainedCode(n_out=20)], ids=["xor", "trained"])
def test_kernels_may_be_coded_weights(made, code):
    from xorjax.container import CompressedLayer
    from xorjax.weights import CodedWeight

    network, params, state = made
    rng, held = np.random.default_rng(2), dict(params)
    for path in ("group1/block0/conv1/kernel", "group2/block0/conv1/kernel"):
        weight = np.asarray(params[path])
        keep = rng.random(weight.shape) < 0.3
        planes = code.project(weight)[None] if code.trained else (rng.random((1, *weight.shape)) < 0.5) & keep
        mask = None if code.trained else keep
        index = None if mask is None else encode_mask(mask, "ans_rc")
        scales = np.full((1, 1, 1, 1, 1), 0.1, np.float32)
        layer = CompressedLayer(path, code.encode(planes, mask), index, scales)
        held[path] = CodedWeight.of(layer)
    decoded = {
        path: value.to_array() if isinstance(value, CodedWeight) else value for path, value in held.items()
    }
    for path in ("group1/block0/conv1/kernel", "group2/block0/conv1/kernel"):
        assert 0 < np.abs(np.asarray(decoded[path])).max() <= 0.1001
    logits = jax.jit(lambda model, x: nnx.merge(*model)(x))(nnx.split(merge(network, held, state)), images())
    expected = merge(network, decoded, state)(images())
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
