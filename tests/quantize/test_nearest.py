"""Search in the loop: as on the host, and the plain binarizer where the code holds all signs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.codec.trained import TrainedCode
from xorjax.quantize import nearest
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


def test_tile_by_tile(monkeypatch):
    """Seven groups, two at a time."""
    code, weights = TrainedCode(8, 20), RNG.standard_normal((7 * 20 - 3, 5)).astype(np.float32)
    monkeypatch.setattr(nearest, "_CPU_TILE", 2 * 5 * 256)
    monkeypatch.setattr(nearest, "_TILE", 2 * 5 * 256)
    signs = np.asarray(jax.jit(nearest_signs, static_argnums=1)(weights, code))
    np.testing.assert_array_equal(signs == 1, code.project(weights))


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


@pytest.mark.parametrize("n_planes", [1, 2])
def test_pruned_weights_have_no_say(n_planes):
    """Under a mask, against brute force over all code words and the kept weights of each slice, plane by plane."""
    code, (n_inputs, n_outputs) = TrainedCode(5, 12), (24, 9)
    weight, mask = RNG.standard_normal((n_inputs, n_outputs)), RNG.random((n_inputs, n_outputs)) < 0.4
    vectors, left = 2.0 * code.vectors - 1, weight
    wanted = np.zeros((n_planes, n_inputs, n_outputs))
    wanted_scales = np.zeros((n_planes, 1, n_outputs))
    for p in range(n_planes):
        for begin in range(0, n_inputs, code.n_out):
            group = slice(begin, begin + code.n_out)
            for n in range(n_outputs):
                kept = mask[group, n]
                wanted[p, group, n] = vectors[(vectors[:, kept] @ left[group, n][kept]).argmax()]
        wanted_scales[p, 0] = (left * wanted[p] * mask).sum(0) / mask.sum(0)
        left = left - wanted_scales[p] * wanted[p]
    given = jnp.asarray(weight, jnp.float32), jnp.asarray(mask)
    binarizer = Binarizer(n_planes, "channel", code=code)
    planes, scales = binarizer.encode(*given)
    np.testing.assert_array_equal(planes[:, mask], (wanted > 0)[:, mask])
    assert not planes[:, ~mask].any()
    np.testing.assert_allclose(scales, wanted_scales, rtol=1e-4, atol=1e-6)
    formed = jax.jit(binarizer.weight)(*given)
    np.testing.assert_allclose(formed, mask * (wanted_scales * wanted).sum(0), rtol=1e-4, atol=1e-6)


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
