"""Soft choices of vectors: means by the formula, what the temperature makes of them, what is stored and learned."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from xorjax.codec.trained import TrainedCode, from_groups, to_groups
from xorjax.quantize.binary import BinaryForm
from xorjax.quantize.rest import RestForm
from xorjax.quantize.soft import GAIN, HARD_FROM, LAST_TEMPERATURE, SoftLayer
from xorjax.quantize.words import WordForm

RNG = np.random.default_rng(0)
CODE = TrainedCode(4, 7, seed=3)
VECTORS = np.where(CODE.vectors, 1.0, -1.0)
SHAPES = [(17, 3), (2, 2, 5, 2)]


def words_of(shape: tuple[int, ...], size: float = 0.01) -> np.ndarray:
    n_groups = len(to_groups(np.zeros(shape), CODE.n_out)) // shape[-1]
    return (size * RNG.standard_normal((n_groups, shape[-1], 16))).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_a_slice_is_the_mean_of_all_vectors(shape, share):
    layer, words = SoftLayer(shape, 1, "channel", CODE), words_of(shape)
    temperature = LAST_TEMPERATURE ** (share / HARD_FROM)
    expected = softmax(GAIN * words.astype(float) / temperature, axis=-1) @ VECTORS
    plane = layer.at(jnp.float32(share)).plane(jnp.asarray(words))
    np.testing.assert_allclose(
        plane, from_groups(expected.reshape(-1, CODE.n_out), shape), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_the_likeliest_vector_is_stored_and_trained_with_in_the_end(shape):
    layer, words = SoftLayer(shape, 1, "channel", CODE), jnp.asarray(words_of(shape))
    stored = layer.plane(words)
    best = VECTORS[np.asarray(words).argmax(-1)].reshape(-1, CODE.n_out)
    np.testing.assert_array_equal(stored, from_groups(best, shape))
    for share in (HARD_FROM, 1.0):
        np.testing.assert_allclose(layer.at(jnp.float32(share)).plane(words), stored, atol=1e-5)


def test_the_gradient_is_the_mean_s_before_and_after():
    shape, words = (17, 3), jnp.asarray(words_of((17, 3)))
    layer, pull = SoftLayer(shape, 1, "channel", CODE), jnp.asarray(RNG.standard_normal(shape), jnp.float32)

    def gradient(share):
        return jax.grad(lambda words: (pull * layer.at(jnp.float32(share)).plane(words)).sum())(words)

    def by_formula(temperature):
        chances = softmax(GAIN * np.asarray(words, float) / temperature, axis=-1)
        met = (to_groups(np.asarray(pull), CODE.n_out) @ VECTORS.T).reshape(chances.shape)
        return GAIN / temperature * chances * (met - (chances * met).sum(-1, keepdims=True))

    np.testing.assert_allclose(gradient(0.0), by_formula(1.0), rtol=1e-3, atol=1e-2)
    last = by_formula(LAST_TEMPERATURE)
    np.testing.assert_allclose(gradient(HARD_FROM), last, rtol=1e-2, atol=1e-2 * np.abs(last).max())


@pytest.mark.parametrize("n_planes", [1, 2])
def test_a_layer_starts_at_the_nearest_code_words(n_planes):
    weight = RNG.standard_normal((50, 6)).astype(np.float32)
    weight[:, 0] = 0
    form = WordForm((("w", SoftLayer(weight.shape, n_planes, "channel", CODE)),), BinaryForm(()))
    params, masks = form.start({"w": jnp.asarray(weight)}, {"w": jnp.ones(weight.shape, bool)}, 0)
    assert params["w"].shape == (n_planes, 8, 6, 16)
    assert masks == {"w": None}
    planes, scales = form.encode(params, masks)["w"]
    np.testing.assert_array_equal(planes[0], CODE.project(weight))
    np.testing.assert_allclose(
        form(params, masks)["w"], (scales * (2.0 * planes - 1)).sum(0), rtol=1e-5, atol=1e-6
    )
    CODE.encode(planes, None)


def test_choices_and_scales_learn():
    """Signs that the code holds are found again from elsewhere, by gradient descent as the temperature falls."""
    code, rng = TrainedCode(3, 6), np.random.default_rng(1)
    target = jnp.asarray(0.5 * (2.0 * code.project(rng.standard_normal((12, 8))) - 1), jnp.float32)
    form = WordForm((("w", SoftLayer((12, 8), 1, "channel", code)),), BinaryForm(()))
    params, masks = form.start({"w": jnp.asarray(rng.standard_normal((12, 8)), jnp.float32)}, {"w": None}, 0)

    def loss(form, params):
        return jnp.square(form(params, masks)["w"] - target).sum()

    @jax.jit
    def step(params, share):
        gradient = jax.grad(lambda params: loss(form.at(share), params))(params)
        return {key: value - 1e-4 * GAIN ** (key != "w") * gradient[key] for key, value in params.items()}

    before = loss(form, params)
    for i in range(300):
        params = step(params, jnp.float32(i / 300))
    assert loss(form, params) < 0.1 * before


def test_few_bits_beside_do_not_stop_the_temperature():
    layer, words = SoftLayer((17, 3), 1, "channel", CODE), jnp.asarray(words_of((17, 3)))[None]
    form, params = RestForm(WordForm((("w", layer),), BinaryForm(())), ("b",), 8), {"b": jnp.ones(3)}
    params |= {"w": words, "w.scales": jnp.ones((1, 1, 3))}
    share = jnp.float32(0.2)
    expected = replace(layer, share=share).planes(words)[0]
    np.testing.assert_array_equal(form.at(share)(params, {"w": None})["w"], expected)
    assert not np.array_equal(form(params, {"w": None})["w"], expected)
