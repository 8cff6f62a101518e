"""Latent bits: the network's outputs, FleXOR's gradient by its formula, and what is trained."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.codec.trained import TrainedCode, from_groups
from xorjax.gf2.vectors import draw_rows
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.quantize.latent import LatentLayer, code_words, signs
from xorjax.quantize.words import WordForm, scales_of

RNG = np.random.default_rng(0)
CODE = TrainedCode(4, 7, seed=3)
NONE = BinaryForm(())


def by_formula(latents, shape, code, steepness, g):
    """dy_o / dx_i = S (1 - tanh^2(S x_i)) (-1)^(n-1) prod over j != i of sign(x_j), a product at a time."""
    matrix, gradient = draw_rows(code.n_in, code.n_out, code.seed), np.zeros(latents.shape)
    padded = np.zeros((latents.shape[1] * code.n_out, shape[-1]))
    padded[: g.reshape(-1, shape[-1]).shape[0]] = g.reshape(-1, shape[-1])
    for group, n in np.ndindex(latents.shape[1:]):
        x = latents[:, group, n].astype(float)
        for o in range(code.n_out):
            inputs = np.flatnonzero(matrix[o])
            for i in inputs:
                others = np.prod([1 if x[j] >= 0 else -1 for j in inputs if j != i])
                slope = steepness * (1 - np.tanh(steepness * x[i]) ** 2) * (-1) ** (len(inputs) - 1) * others
                gradient[i, group, n] += padded[group * code.n_out + o, n] * slope
    return gradient


@pytest.mark.parametrize("shape", [(17, 3), (2, 2, 5, 2)])
@pytest.mark.parametrize("steepness", [1.0, 5.0, 100.0])
def test_signs_and_their_gradient(shape, steepness):
    n_groups = -(-int(np.prod(shape[:-1])) // CODE.n_out)
    latents = (RNG.standard_normal((4, n_groups, shape[-1])) / steepness).astype(np.float32)
    g = RNG.standard_normal(shape).astype(np.float32)
    plane, pull = jax.vjp(lambda x: signs(x, steepness, shape, CODE), jnp.asarray(latents))
    codes = np.asarray(code_words(jnp.asarray(latents))).reshape(-1)
    np.testing.assert_array_equal(plane == 1, from_groups(CODE.vectors[codes], shape))
    np.testing.assert_allclose(
        pull(jnp.asarray(g))[0],
        by_formula(latents, shape, CODE, steepness, g),
        rtol=1e-4,
        atol=1e-4 * steepness,
    )


@pytest.mark.parametrize("scale", ["tensor", "channel"])
@pytest.mark.parametrize("n_planes", [1, 2])
def test_a_layer_starts_at_the_nearest_code_words(scale, n_planes):
    weight, code = RNG.standard_normal((50, 6)).astype(np.float32), TrainedCode(6, 9)
    form = WordForm((("fc/kernel", LatentLayer(weight.shape, n_planes, scale, code)),), NONE)
    mask = jnp.ones(weight.shape, bool)
    params, masks = form.start(
        {"fc/kernel": jnp.asarray(weight), "fc/bias": jnp.zeros(6)}, {"fc/kernel": mask, "fc/bias": None}, 0
    )
    assert params["fc/kernel"].shape == (n_planes, 6, 6, 6)
    assert masks == {"fc/kernel": None, "fc/bias": None}
    (planes, scales) = form.encode(params, masks)["fc/kernel"]
    np.testing.assert_array_equal(planes[0], code.project(weight))
    formed = form(params, masks)
    assert formed.keys() == {"fc/kernel", "fc/bias"}
    np.testing.assert_allclose(
        formed["fc/kernel"], (scales * (2.0 * planes - 1)).sum(0), rtol=1e-5, atol=1e-6
    )
    # The least squares scale of the first plane: no other is nearer.
    errors = [np.square(weight - f * scales[0] * (2.0 * planes[0] - 1)).sum() for f in (0.9, 1.0, 1.1)]
    assert min(errors) == errors[1]
    # Every slice can be stored.
    code.encode(planes, None)
    assert scales_of("fc/kernel") in params


def test_layers_beside_those_in_words():
    """Each is formed, encoded and trained as it would be alone, and others stay as they are."""
    code, mask = TrainedCode(4, 6), jnp.asarray(RNG.random((12, 8)) < 0.5)
    layers = (("words", LatentLayer((12, 8), 2, "channel", code)),)
    form = WordForm(layers, BinaryForm.of({"plain": Binarizer(2)}))
    weights = {name: jnp.asarray(RNG.standard_normal((12, 8)), jnp.float32) for name in ("words", "plain")}
    given = {"words": None, "plain": mask, "bias": None}
    params, masks = form.start(weights | {"bias": jnp.arange(8.0)}, given, 0)
    assert params.keys() == {"words", scales_of("words"), "plain", "bias"}
    assert masks["plain"] is mask
    formed, encoded = jax.jit(lambda params: form(params, masks))(params), form.encode(params, masks)
    assert formed.keys() == {"words", "plain", "bias"}
    assert encoded.keys() == {"words", "plain"}
    np.testing.assert_array_equal(formed["bias"], np.arange(8.0))
    for name, kept in (("words", np.ones((12, 8), bool)), ("plain", np.asarray(mask))):
        planes, scales = encoded[name]
        np.testing.assert_allclose(
            formed[name], kept * (scales * (2.0 * planes - 1)).sum(0), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_array_equal(encoded["plain"][0], Binarizer(2).encode(weights["plain"], mask)[0])
    alone, of_alone = WordForm(layers, NONE).start({"words": weights["words"]}, {"words": None}, 0)
    for mine, theirs in zip(
        encoded["words"], WordForm(layers, NONE).encode(alone, of_alone)["words"], strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)

    def loss(params, form, masks):
        return sum((value**3).sum() for value in form(params, masks).values())

    gradient = jax.grad(loss)(params, form, masks)
    of_words = jax.grad(loss)(alone, WordForm(layers, NONE), of_alone)
    for name, value in of_words.items():
        assert np.abs(value).max() > 0
        np.testing.assert_allclose(gradient[name], value, rtol=1e-5, atol=1e-6)
    assert (gradient["plain"][~mask] == 0).all()
    assert np.abs(gradient["plain"]).max() > 0


def test_bits_and_scales_learn():
    """Signs that the code holds are found again from elsewhere by gradient descent on the outputs."""
    code, rng = TrainedCode(3, 6), np.random.default_rng(1)
    target = jnp.asarray(0.5 * (2.0 * code.project(rng.standard_normal((12, 8))) - 1), jnp.float32)
    form = WordForm((("w", LatentLayer((12, 8), 1, "channel", code)),), NONE)
    params, masks = form.start({"w": jnp.asarray(rng.standard_normal((12, 8)), jnp.float32)}, {"w": None}, 0)

    def loss(params):
        return jnp.square(form(params, masks)["w"] - target).mean()

    before = loss(params)
    for _ in range(200):
        gradient = jax.grad(loss)(params)
        params = {key: value - 0.05 * gradient[key] for key, value in params.items()}
    assert loss(params) < 0.1 * before


def test_the_steepness_doubles():
    """The weights stay; the gradients are those of the steepness that it has by then."""
    code, masks = TrainedCode(3, 6), {"w": None}
    layer = LatentLayer((12, 8), 1, "channel", code, doubles=(0.5, 0.75))
    form = WordForm((("w", layer),), NONE)
    params, masks = form.start({"w": jnp.asarray(RNG.standard_normal((12, 8)), jnp.float32)}, masks, 0)

    def gradient(form):
        return jax.grad(lambda p: (form(p, masks)["w"] ** 3).sum())(params)["w"]

    for share, steepness in ((0.0, 5.0), (0.49, 5.0), (0.5, 10.0), (0.75, 20.0), (0.9, 20.0)):
        steeper = WordForm((("w", replace(layer, steepness=steepness, doubles=())),), NONE)
        np.testing.assert_array_equal(gradient(form.at(jnp.float32(share))), gradient(steeper))
        np.testing.assert_array_equal(
            form.at(jnp.float32(share))(params, masks)["w"], form(params, masks)["w"]
        )
    assert not np.allclose(gradient(form.at(jnp.float32(0.5))), gradient(form))
