"""Pruned matrices as lists of kept weights: what they decode to, their product against float64, when they are held."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from coded_weights import ALL_CODES, CODE, coded, parts, quantized
from hypothesis import given, settings
from hypothesis import strategies as st

from xorjax.container import CompressedLayer, CompressedModel
from xorjax.decoding.listed import ListedDecoder, list_kept
from xorjax.decoding.planes import PackedPlanes, decode_planes, kept
from xorjax.masks import encode_mask, fit_mask
from xorjax.weights import CodedWeight

RNG = np.random.default_rng(0)


def listed(planes, mask, scales):
    held = PackedPlanes(list_kept(planes, mask), "listed", mask.shape, len(planes), None)
    return CodedWeight(held, None, jnp.asarray(scales))


def random_parts(n_inputs, n_outputs, n_planes, rate, rng=RNG):
    """Each column of the mask has a density of its own, none and all of it among them."""
    mask = rng.random((n_inputs, n_outputs)) < np.clip(rate * rng.choice([0, 0.5, 1, 3], n_outputs), 0, 1)
    planes = rng.random((n_planes, n_inputs, n_outputs)) < 0.5
    return planes, mask, rng.uniform(0.5, 2, (n_planes, 1, n_outputs)).astype(np.float32)


def bound(x, scales):
    magnitudes = np.abs(x).astype(float).sum(axis=-1, keepdims=True) * np.abs(scales).sum(axis=(0, 1))
    return (x.shape[-1] + len(scales) + 1) * 2.0**-24 * magnitudes


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 40), st.integers(1, 9), st.floats(0, 1), st.integers(0, 2**32))
def test_lists_hold_mask_and_planes(n_inputs, n_outputs, n_planes, rate, seed):
    planes, mask, _ = random_parts(n_inputs, n_outputs, n_planes, rate, np.random.default_rng(seed))
    held = PackedPlanes(list_kept(planes, mask), "listed", mask.shape, n_planes, None)
    with jax.disable_jit():
        np.testing.assert_array_equal(kept(held), mask)
        np.testing.assert_array_equal(decode_planes(held)[:, mask], planes[:, mask])


@pytest.mark.parametrize(
    ("shape", "n_planes", "rate"),
    [((300, 40), 1, 0.1), ((64, 7), 2, 0.2), ((900, 3), 1, 1.0), ((1, 1), 3, 1.0), ((50, 20), 1, 0.0)],
)
@pytest.mark.parametrize("batch", [(), (1,), (3,), (16,), (2, 21), (0,)])
def test_kept_weights_sum_to_the_product(shape, n_planes, rate, batch):
    planes, mask, scales = random_parts(*shape, n_planes, rate)
    w = listed(planes, mask, scales)
    x = RNG.standard_normal((*batch, shape[0])).astype(np.float32)
    y = np.asarray(jax.jit(lambda x, w: x @ w)(x, w))
    exact = x.astype(float) @ np.where(mask, (scales.astype(float) * (2.0 * planes - 1)).sum(0), 0)
    assert y.shape == exact.shape
    assert (np.abs(y - exact) <= bound(x, scales)).all()


def test_many_inputs_take_wider_words():
    planes, mask, scales = random_parts(1 << 16, 2, 1, 0.01)
    w = listed(planes, mask, scales)
    assert w.planes.words["entries"].dtype == np.uint32
    np.testing.assert_array_equal(w.to_array(), quantized(planes, mask, scales))
    x = RNG.standard_normal((2, 1 << 16)).astype(np.float32)
    np.testing.assert_allclose(jnp.asarray(x) @ w, x @ w.to_array(), atol=1e-2)


def test_narrow_inputs_are_summed_in_float32():
    planes, mask, scales = random_parts(2000, 40, 1, 0.1)
    w = listed(planes, mask, scales).astype(jnp.bfloat16)
    x = jnp.asarray(RNG.standard_normal((4, 2000)), jnp.bfloat16)
    y = x @ w
    assert y.dtype == jnp.bfloat16
    exact = np.asarray(x, np.float64) @ np.asarray(w.to_array(), np.float64)
    assert (np.abs(np.asarray(y, np.float64) - exact) <= 2.0**-8 * np.abs(exact) + 1e-2).all()


def test_double_precision():
    planes, mask, scales = random_parts(60, 7, 1, 0.2)
    with jax.enable_x64(True):
        w = listed(planes, mask, scales.astype(np.float64))
        x = RNG.standard_normal((3, 60))
        y = x @ w
        assert y.dtype == np.float64
        np.testing.assert_allclose(y, x @ w.to_array(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 5, 20])
def test_gradients_are_those_of_the_product(batch):
    planes, mask, scales = random_parts(70, 9, 2, 0.2)
    w = listed(planes, mask, scales)
    x = jnp.asarray(RNG.standard_normal((batch, 70)), jnp.float32)
    weights = jnp.asarray(RNG.standard_normal((batch, 9)), jnp.float32)

    def loss(x, scales, product):
        return (weights * jnp.tanh(product(x, CodedWeight(w.planes, None, scales)))).sum()

    found, wanted = (
        jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)(x, w.scales, product)
        for product in (lambda x, w: x @ w, lambda x, w: x @ w.to_array())
    )
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-5)


def test_forward_mode_and_second_derivatives():
    w = listed(*random_parts(30, 6, 2, 0.2))
    x = jnp.asarray(RNG.standard_normal((3, 30)), jnp.float32)

    def derivatives(product):
        def loss(x, scales):
            return jnp.tanh(0.1 * product(x, CodedWeight(w.planes, None, scales))).sum()

        both = jax.jit(lambda x, scales: (jax.hessian(loss, (0, 1))(x, scales), jax.jacfwd(loss)(x, scales)))
        return jax.tree.leaves(both(x, w.scales))

    for mine, theirs in zip(
        derivatives(lambda x, w: x @ w), derivatives(lambda x, w: x @ w.to_array()), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_under_vmap_over_x_and_over_weights():
    w, other = (listed(*random_parts(64, 8, 1, 0.1, np.random.default_rng(0))) for _ in range(2))
    other = CodedWeight(other.planes, None, 2 * other.scales)
    x = jnp.asarray(RNG.standard_normal((4, 6, 64)), jnp.float32)
    np.testing.assert_allclose(jax.vmap(lambda x: x @ w)(x), x @ w.to_array(), rtol=1e-4, atol=1e-4)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), w, other)
    products = jax.jit(jax.vmap(lambda w: x[0] @ w))(stacked)
    np.testing.assert_allclose(products, jnp.stack([x[0] @ w, x[0] @ other]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("code", ALL_CODES, ids=lambda code: code.id)
def test_pruned_matrices_are_held_so(code):
    planes, mask, scales = parts((80, 48), rate=0.1, code=code)
    w = coded(planes, mask, scales, code, codec="ans_rc")
    assert (w.planes.decoder, w.mask) == ("listed", None)
    np.testing.assert_array_equal(w.kept(), mask)
    np.testing.assert_array_equal(w.to_array(), quantized(planes, mask, scales))
    x = RNG.standard_normal((3, 80)).astype(np.float32)
    np.testing.assert_allclose(x @ w, x @ w.to_array(), rtol=1e-5, atol=1e-5)
    assert "PackedPlanes((80, 48), 2, listed)" in repr(w)


def test_others_are_not():
    """Those that keep much, whose mask decodes in jit, with a scale an input, and no matrices; and none on a GPU."""
    planes, mask, scales = parts((80, 48), rate=0.1)
    per_input = np.ones((2, 80, 1), np.float32)
    assert coded(*parts(rate=0.3)).planes.decoder == "xor"
    assert coded(planes, mask, per_input).planes.decoder == "xor"
    assert coded(*parts((2, 40, 48), rate=0.1)).planes.decoder == "xor"
    index = fit_mask(RNG.random((80, 48)).astype(np.float32), 0.9, "codebook")
    w = CodedWeight.of(CODE.encode(planes, index.mask), index, scales)
    assert w.planes.decoder == "xor"
    np.testing.assert_array_equal(w.kept(), index.mask)


def test_a_file_s_weights_can_stay_code():
    """Their products are those of the decoded weight, bit for bit."""
    planes, mask, scales = parts((80, 48), rate=0.1)
    layer = CompressedLayer("w", CODE.encode(planes, mask), encode_mask(mask, "bitmap"), scales)
    model = CompressedModel({"w": layer}, {}, {})
    w = model.weights_as_code["w"]
    assert (model.weights["w"].planes.decoder, w.planes.decoder, w.mask.codec) == ("listed", "xor", "bitmap")
    x = jnp.asarray(RNG.standard_normal((3, 80)), jnp.float32)
    np.testing.assert_array_equal(x @ w, x @ model.weights["w"].to_array())


def test_weights_of_one_shape_and_prune_rate_share_a_compilation():
    shapes = set()
    for seed in range(5):
        mask = np.random.default_rng(seed).random((400, 300)) < 0.1
        shapes.add(tuple(words.shape for words in list_kept(mask[None], mask).values()))
    assert len(shapes) <= 2


def test_a_malformed_stream_is_refused():
    planes, mask, scales = parts((80, 48), rate=0.1)
    values = CODE.encode(planes, mask)
    values.streams.pop("0/codes")
    with pytest.raises(ValueError, match="0/codes"):
        CodedWeight.of(values, encode_mask(mask, "bitmap"), scales)


def test_scales_of_inputs_are_decoded():
    planes, mask, _ = random_parts(30, 8, 1, 0.2)
    w = listed(planes, mask, RNG.uniform(1, 2, (1, 30, 1)).astype(np.float32))
    assert not ListedDecoder.pays((3, 30), w.planes, None, w.scales)
    x = RNG.standard_normal((3, 30)).astype(np.float32)
    np.testing.assert_allclose(x @ w, x @ w.to_array(), rtol=1e-5, atol=1e-5)
