import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from xorjax.codec.slicing import SLICINGS
from xorjax.codec.xor import encode
from xorjax.gf2.network import XorNetwork
from xorjax.layers import XorConv
from xorjax.models.conv import Conv
from xorjax.quantize.binary import BinaryCode


@pytest.mark.parametrize("slicing", SLICINGS)
def test_it_is_the_convolution_with_the_quantized_kernel(slicing):
    keys = jax.random.split(jax.random.key(0), 3)
    weight, mask = jax.random.normal(keys[0], (3, 3, 4, 6)), jax.random.bernoulli(keys[1], 0.3, (3, 3, 4, 6))
    code = BinaryCode(2, "channel")
    planes, scales = (np.asarray(part) for part in code.encode(weight, mask))
    net, bias = XorNetwork.random(8, 24), np.arange(6, dtype=np.float32)
    encoded = [encode(plane, np.asarray(mask), net, slicing=slicing) for plane in planes]
    dense = Conv(4, 6, 3, rngs=nnx.Rngs(0))
    dense.kernel[...], dense.bias[...] = code.weight(weight, mask), jnp.asarray(bias)
    x = jax.random.normal(keys[2], (5, 7, 8, 4))
    forward = jax.jit(lambda layer, x: layer(x))
    decoded = forward(XorConv(encoded, np.asarray(mask), scales, bias), x)
    np.testing.assert_allclose(decoded, forward(dense, x), rtol=1e-5, atol=1e-5)
    without = forward(XorConv(encoded, np.asarray(mask), scales), x)
    np.testing.assert_allclose(without + jnp.asarray(bias)[None, None, None], decoded, rtol=1e-5, atol=1e-5)
