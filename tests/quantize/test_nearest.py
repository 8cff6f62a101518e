"""Search in the loop: as on the host, and the plain binarizer where the code holds all signs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.codec.trained import TrainedCode
from xorjax.quantize.binary import Binarizer
from xorjax.quantize.nearest import nearest_signs

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "code", [TrainedCode(8, 20), TrainedCode(3, 3, 1), TrainedCode(12, 30), TrainedCode(1, 5)]
)
@pytest.mark.parametrize("shape", [(41, 7), (3, 3, 5, 4), (6,)])
def test_the_signs_of_the_host(code, shape):
    weights = RNG.standard_normal(shape).astype(np.float32)
    signs = np.asarray(jax.jit(nearest_signs, static_argnums=1)(weights, code))
    np.testing.assert_array_equal(signs == 1, code.project(weights))
    assert set(np.unique(signs)) <= {-1, 1}


@pytest.mark.parametrize("ste", ["clipped", "identity"])
@pytest.mark.parametrize("scale", ["tensor", "channel"])
def test_all_signs_is_the_plain_binarizer(ste, scale):
    """Values and gradients, bit for bit."""
    weight = jnp.asarray(RNG.standard_normal((36, 10)) * 2, jnp.float32)
    mask = jnp.ones(weight.shape, bool)
    plain, coded = Binarizer(1, scale, ste), Binarizer(1, scale, ste, TrainedCode(6, 6))

    def loss(weight, binarizer):
        formed = binarizer.weight(weight, mask)
        return (formed**3).sum() + (formed * jnp.arange(10.0)[None]).sum()

    for wanted, found in zip(
        jax.value_and_grad(loss)(weight, plain), jax.value_and_grad(loss)(weight, coded), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("n_planes", [1, 2, 3])
def test_what_is_encoded_is_what_was_trained(n_planes):
    code = TrainedCode(8, 20)
    binarizer = Binarizer(n_planes, "channel", code=code)
    weight = jnp.asarray(RNG.standard_normal((70, 11)), jnp.float32)
    mask = jnp.ones(weight.shape, bool)
    planes, scales = binarizer.encode(weight, mask)
    formed = (scales * (2.0 * planes - 1)).sum(0)
    np.testing.assert_allclose(binarizer.weight(weight, mask), formed, rtol=1e-6)
    np.testing.assert_array_equal(code.decode(code.encode(planes, None), None), planes)


def test_more_planes_are_nearer():
    weight = jnp.asarray(RNG.standard_normal((200, 30)), jnp.float32)
    mask = jnp.ones(weight.shape, bool)
    errors = [
        float(
            jnp.square(weight - Binarizer(n, "channel", code=TrainedCode(8, 16)).weight(weight, mask)).sum()
        )
        for n in (1, 2, 3)
    ]
    assert errors[0] > errors[1] > errors[2]
