"""The public decoding layers: a coded weight and a bias, in a user's own module."""

import jax
import jax.numpy as jnp
import jaxtyping
import ml_dtypes
import numpy as np
import pytest
from flax import nnx

from xorjax.codec.xor import XorCode
from xorjax.container import CompressedLayer, CompressedModel
from xorjax.layers import XorConv, XorLinear
from xorjax.masks import encode_mask
from xorjax.quantize.binary import Binarizer
from xorjax.settings import SCALES
from xorjax.weights import CodedWeight

FAN_IN, FAN_OUT = 60, 37


@pytest.fixture(autouse=True)
def full_precision():
    """An accelerator's default rounds the factors of a float32 product."""
    with jax.default_matmul_precision("highest"):
        yield


CODE = XorCode(n_in=14, n_out=42)


def quantized(shape=(FAN_IN, FAN_OUT), n_planes=1, scale="channel", dtype=np.float32):
    """A compressed layer of the quantizer that training uses, and the quantized weight."""
    key, mask_key = jax.random.split(jax.random.key(0))
    weight, mask = jax.random.normal(key, shape), jax.random.bernoulli(mask_key, 0.3, shape)
    binarizer = Binarizer(n_planes, scale)
    planes, scales = binarizer.encode(weight, mask)
    index, scales = encode_mask(np.asarray(mask)), np.asarray(scales).astype(dtype)
    layer = CompressedLayer("fc", CODE.encode(np.asarray(planes), index.mask), index, scales)
    signed = np.asarray(scales, np.float32) * (2 * planes.astype(np.float32) - 1)
    return layer, jnp.asarray(np.where(index.mask, signed.sum(0), np.float32(0)))


def coded(layer):
    return CompressedModel({layer.name: layer}).weights[layer.name]


forward = jax.jit(lambda layer, x: layer(x))


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n_planes", [1, 2])
def test_the_product_is_that_of_the_quantized_weight(n_planes, scale):
    layer, weight = quantized(n_planes=n_planes, scale=scale)
    np.testing.assert_array_equal(np.asarray(coded(layer).to_array()), np.asarray(weight))
    bias = jnp.arange(FAN_OUT, dtype=jnp.float32)
    product = forward(XorLinear(coded(layer), bias), jnp.eye(FAN_IN))
    np.testing.assert_array_equal(np.asarray(product), np.asarray(weight + bias[None]))
    without = forward(XorLinear(coded(layer)), jnp.eye(FAN_IN))
    np.testing.assert_array_equal(np.asarray(without), np.asarray(weight))


@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,)])
def test_a_bias_changes_no_rank(batch):
    layer, weight = quantized()
    x, bias = jax.random.normal(jax.random.key(2), (*batch, FAN_IN)), np.ones(FAN_OUT, np.float32)
    for built in (XorLinear(coded(layer)), XorLinear(coded(layer), bias)):
        assert forward(built, x).shape == (*batch, FAN_OUT)
    dense = nnx.Linear(FAN_IN, FAN_OUT, rngs=nnx.Rngs(0))
    dense.kernel[...], dense.bias[...] = weight, jnp.asarray(bias)
    np.testing.assert_allclose(
        np.asarray(forward(built, x)), np.asarray(forward(dense, x)), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(
    "settings", [{}, {"strides": 2, "padding": "SAME"}, {"padding": 1, "dilation": 2, "groups": 2}], ids=str
)
def test_a_convolution_is_that_of_the_quantized_kernel(settings, dtype):
    layer, weight = quantized((3, 3, 4, 6), n_planes=2, dtype=dtype)
    n_in, bias = 4 * settings.get("groups", 1), np.arange(6).astype(dtype)
    x = jax.random.normal(jax.random.key(2), (5, 9, 8, n_in)).astype(dtype)
    y = forward(XorConv(coded(layer), bias, **settings), x)
    assert y.dtype == dtype
    dense = nnx.Conv(
        n_in,
        6,
        (3, 3),
        strides=settings.get("strides", 1),
        padding=settings.get("padding", "VALID"),
        kernel_dilation=settings.get("dilation", 1),
        feature_group_count=settings.get("groups", 1),
        rngs=nnx.Rngs(0),
    )
    dense.kernel[...], dense.bias[...] = weight, jnp.asarray(bias, jnp.float32)
    near = 1e-5 if dtype == np.float32 else 0.1
    expected = forward(dense, x.astype(jnp.float32))
    np.testing.assert_allclose(np.asarray(y, np.float32), np.asarray(expected), rtol=near, atol=near)


def test_a_bias_that_is_none_of_the_outputs_is_refused():
    layer, _ = quantized()
    for build in (XorLinear, XorConv):
        with pytest.raises(
            ValueError, match=r"a bias of shape \(60,\) beside a weight of shape \(60, 37\), expected \(37,\)"
        ):
            build(coded(layer), np.ones(FAN_IN, np.float32))


def test_a_bias_may_be_a_list():
    layer, _ = quantized()
    assert XorLinear(coded(layer), [1.0] * FAN_OUT).bias.shape == (FAN_OUT,)


def test_a_layer_of_a_file_is_no_weight(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    layer, _ = quantized()
    for build in (XorLinear, XorConv):
        with pytest.raises(
            TypeError, match=r"a CompressedLayer, expected a coded weight, such as load\(path\)"
        ):
            build(layer)


def test_it_holds_no_float_weight_and_nothing_trainable():
    layer, _ = quantized(n_planes=2)
    state = nnx.state(XorLinear(coded(layer), jnp.zeros(FAN_OUT)))
    floats = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert sum(leaf.size for leaf in floats) == layer.scales.size + FAN_OUT
    assert jax.tree.leaves(nnx.state(XorLinear(coded(layer)), nnx.Param)) == []


def test_it_survives_split_merge_and_jit_inside_a_model():
    class Model(nnx.Module):
        def __init__(self, fc):
            self.fc = fc

        def __call__(self, x):
            return nnx.relu(self.fc(x))

    layer, weight = quantized()
    w = CodedWeight.of(layer.values, layer.index, layer.scales)
    graphdef, state = nnx.split(Model(XorLinear(w)))
    run = jax.jit(lambda graphdef, state, x: nnx.merge(graphdef, state)(x), static_argnums=0)
    x = jax.random.normal(jax.random.key(2), (8, FAN_IN))
    np.testing.assert_allclose(
        np.asarray(run(graphdef, state, x)), np.asarray(nnx.relu(x @ weight)), rtol=1e-5, atol=1e-5
    )
    # The state alone decides: other scales through the same graphdef give the other result.
    flipped = jax.tree.map(lambda leaf: -leaf if leaf.dtype == jnp.float32 else leaf, state)
    np.testing.assert_allclose(
        np.asarray(run(graphdef, flipped, x)), np.asarray(nnx.relu(x @ -weight)), rtol=1e-5, atol=1e-5
    )
