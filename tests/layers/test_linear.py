import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xorjax.codec.slicing import SLICINGS
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.xor import encode
from xorjax.container import CompressedLayer
from xorjax.gf2.network import XorNetwork
from xorjax.layers import XorKernel, XorLinear
from xorjax.masks import encode_mask, fit_mask
from xorjax.quantize.binary import SCALES, BinaryCode

FAN_IN, FAN_OUT = 60, 37


def quantized(n_planes=1, scale="channel", rate=0.3, seed=0):
    """Planes, mask, scales as NumPy, and the quantized weight, by the quantizer that training uses."""
    key, mask_key = jax.random.split(jax.random.key(seed))
    weight = jax.random.normal(key, (FAN_IN, FAN_OUT))
    mask = jax.random.bernoulli(mask_key, rate, (FAN_IN, FAN_OUT))
    code = BinaryCode(n_planes, scale)
    planes, scales = code.encode(weight, mask)
    return np.asarray(planes), np.asarray(mask), np.asarray(scales), code.weight(weight, mask)


def encoded_planes(planes, mask, n_in=14, **settings):
    net = XorNetwork.random(n_in, 3 * n_in)
    return [encode(plane, mask, net, **settings) for plane in planes]


def layer(planes, mask, scales, bias=None, **settings):
    return XorLinear(encoded_planes(planes, mask, **settings), mask, scales, bias)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n_planes", [1, 2, 3])
def test_the_decoded_weight_is_the_quantized_weight_bit_for_bit(n_planes, scale):
    planes, mask, scales, weight = quantized(n_planes, scale)
    decoded = jax.jit(lambda layer: layer.kernel())(layer(planes, mask, scales))
    assert decoded.dtype == jnp.float32
    np.testing.assert_array_equal(np.asarray(decoded), np.asarray(weight))


@pytest.mark.parametrize("n_in", [14, 70])
@pytest.mark.parametrize(("patch_format", "slicing"), list(zip(PATCH_FORMATS, SLICINGS, strict=True)))
def test_every_format_decodes_to_the_quantized_weight(patch_format, slicing, n_in):
    planes, mask, scales, weight = quantized(rate=0.5)
    built = layer(planes, mask, scales, n_in=n_in, patch_format=patch_format, slicing=slicing, slicing_seed=7)
    decoded = jax.jit(lambda layer: layer.kernel())(built)
    np.testing.assert_array_equal(np.asarray(decoded), np.asarray(weight))


@pytest.mark.parametrize("codec", ["ans", "bitmap"])
def test_an_encoded_mask_does_as_well(codec):
    planes, mask, scales, weight = quantized()
    kernel = XorKernel(encoded_planes(planes, mask), encode_mask(mask, codec), scales)
    np.testing.assert_array_equal(np.asarray(jax.jit(lambda kernel: kernel())(kernel)), np.asarray(weight))


def test_a_low_rank_mask_stays_compressed():
    scores = np.abs(np.random.default_rng(0).standard_normal((FAN_IN, FAN_OUT))).astype(np.float32)
    index = fit_mask(scores, 0.8, "lowrank", rank=2)
    planes, scales = np.ones((1, FAN_IN, FAN_OUT), bool), np.full((1, 1, 1), 2, np.float32)
    kernel = XorKernel(encoded_planes(planes, index.mask), index, scales)
    np.testing.assert_array_equal(np.asarray(jax.jit(lambda kernel: kernel())(kernel)), 2.0 * index.mask)
    held = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(kernel)["mask"]))
    assert held < FAN_IN * FAN_OUT / 32


def test_a_compressed_layer_becomes_a_layer():
    planes, mask, scales, weight = quantized()
    compressed = CompressedLayer("fc", tuple(encoded_planes(planes, mask)), encode_mask(mask, "ans"), scales)
    built = XorLinear.from_layer(compressed, np.ones(FAN_OUT, np.float32))
    product = jax.jit(lambda layer, x: layer(x))(built, jnp.eye(FAN_IN))
    np.testing.assert_array_equal(np.asarray(product), np.asarray(weight) + 1)


@pytest.mark.parametrize("n_planes", [1, 2])
@pytest.mark.parametrize("batch", [1, 64])
def test_the_product_is_the_dense_product(n_planes, batch):
    planes, mask, scales, weight = quantized(n_planes)
    bias = jax.random.normal(jax.random.key(1), (FAN_OUT,))
    x = jax.random.normal(jax.random.key(2), (batch, FAN_IN))
    dense = nnx.Linear(FAN_IN, FAN_OUT, rngs=nnx.Rngs(0))
    dense.kernel[...], dense.bias[...] = weight, bias
    forward = jax.jit(lambda layer, x: layer(x))
    product = forward(layer(planes, mask, scales, bias), x)
    np.testing.assert_allclose(np.asarray(product), np.asarray(forward(dense, x)), rtol=1e-6, atol=1e-6)


def test_without_a_bias():
    planes, mask, scales, weight = quantized()
    x = jnp.eye(FAN_IN)
    product = jax.jit(lambda layer, x: layer(x))(layer(planes, mask, scales), x)
    np.testing.assert_array_equal(np.asarray(product), np.asarray(weight))


def test_an_empty_mask_decodes_to_zeros():
    planes, mask, scales, _ = quantized()
    decoded = jax.jit(lambda layer: layer.kernel())(layer(planes, np.zeros_like(mask), scales))
    np.testing.assert_array_equal(np.asarray(decoded), np.zeros((FAN_IN, FAN_OUT)))


def test_it_holds_no_float_weight_and_nothing_trainable():
    planes, mask, scales, _ = quantized(n_planes=2)
    model = layer(planes, mask, scales, jnp.zeros(FAN_OUT))
    state = nnx.state(model)
    floats = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    assert sum(leaf.size for leaf in floats) == scales.size + FAN_OUT
    assert jax.tree.leaves(nnx.state(model, nnx.Param)) == []
    assert all(leaf.dtype in (jnp.float32, jnp.uint32) for leaf in jax.tree.leaves(state))


def test_it_survives_split_merge_and_jit_inside_a_model():
    class Model(nnx.Module):
        def __init__(self, fc):
            self.fc = fc

        def __call__(self, x):
            return nnx.relu(self.fc(x))

    planes, mask, scales, weight = quantized()
    graphdef, state = nnx.split(Model(layer(planes, mask, scales)))
    forward = jax.jit(lambda graphdef, state, x: nnx.merge(graphdef, state)(x), static_argnums=0)
    x = jax.random.normal(jax.random.key(2), (8, FAN_IN))
    np.testing.assert_allclose(
        np.asarray(forward(graphdef, state, x)), np.asarray(nnx.relu(x @ weight)), rtol=1e-6, atol=1e-6
    )
    flipped = jax.tree.map(lambda leaf: leaf, state)
    flipped["fc"]["kernel"]["scales"] = nnx.Variable(-jnp.asarray(scales))
    # The state alone decides: other scales through the same graphdef give the other result.
    np.testing.assert_allclose(
        np.asarray(forward(graphdef, flipped, x)), np.asarray(nnx.relu(x @ -weight)), rtol=1e-6, atol=1e-6
    )


def test_it_refuses_parts_that_do_not_go_together():
    planes, mask, scales, _ = quantized(n_planes=2)
    small, other = XorNetwork.random(14, 40), XorNetwork.random(14, 40, seed=1)
    encoded = [encode(plane, mask, small) for plane in planes]
    with pytest.raises(ValueError, match="1 bit planes and 2 scales"):
        XorLinear(encoded[:1], mask, scales)
    with pytest.raises(ValueError, match=r"shape \(60, 37\) under a mask of shape \(37, 60\)"):
        XorLinear(encoded, mask.T, scales)
    with pytest.raises(ValueError, match="encoded under another mask"):
        XorLinear(encoded, ~mask, scales)
    with pytest.raises(ValueError, match="share one XOR network"):
        XorLinear([encoded[0], encode(planes[1], mask, other)], mask, scales)
