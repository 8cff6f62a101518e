from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.quantize.binarize import scale_axes
from xorjax.quantize.binary import Binarizer, BinaryForm
from xorjax.settings import SCALES

ELEMENTS = st.floats(-2, 2, width=32, allow_subnormal=False)
# Few shapes: each costs a compilation.
CASES = st.sampled_from([(1, 1), (4, 3), (2, 2, 3, 4)]).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=ELEMENTS).map(jnp.asarray),
        hnp.arrays(bool, shape).map(jnp.asarray),
        hnp.arrays(np.float32, shape, elements=ELEMENTS).map(jnp.asarray),
    )
)


@given(CASES, st.sampled_from(SCALES))
def test_the_scale_of_one_plane_is_the_one_that_was_trained_with(case, scale):
    weight, mask, _ = case
    binarizer = Binarizer(1, scale)
    planes, scales = binarizer.encode(weight, mask)
    rebuilt = np.asarray(mask) * scales[0] * np.where(planes[0], np.float32(1), np.float32(-1))
    np.testing.assert_array_equal(_forward(binarizer, weight, mask), rebuilt)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SCALES), st.integers(2, 3))
def test_the_forward_weight_is_what_a_file_holds(seed, scale, n_planes):
    """The jitted fit against NumPy's, which rounds elsewhere."""
    rng = np.random.default_rng(seed)
    weight, mask = rng.normal(size=(12, 7)).astype(np.float32), rng.random((12, 7)) < 0.8
    binarizer = Binarizer(n_planes, scale)
    planes, scales = binarizer.encode(jnp.asarray(weight), jnp.asarray(mask))
    rebuilt = mask * (scales * np.where(planes, np.float32(1), np.float32(-1))).sum(0)
    forward = np.asarray(_forward(binarizer, jnp.asarray(weight), jnp.asarray(mask)))
    assert (forward[~mask] == 0).all()
    np.testing.assert_allclose(forward, rebuilt, atol=2e-4)


@pytest.mark.parametrize("scale_bits", [8, 32])
@pytest.mark.parametrize("n_planes", [1, 2, 3])
def test_weights_alone_in_their_groups(n_planes, scale_bits):
    """The fit of least norm has scales below 0, which fixed point does not hold."""
    weight = np.array([[-0.5, 0.3, 0.7], [0.4, -0.2, -0.1]], np.float32)
    mask = np.array([[True, False, False], [False, True, True]])
    binarizer = Binarizer(n_planes, "channel", scale_bits=scale_bits)
    planes, scales = binarizer.encode(jnp.asarray(weight), jnp.asarray(mask))
    assert (scales >= 0).all()
    rebuilt = (scales * np.where(planes, 1, -1)).sum(0) * mask
    np.testing.assert_allclose(rebuilt, weight * mask, atol=0.005)
    forward = _forward(binarizer, jnp.asarray(weight), jnp.asarray(mask))
    np.testing.assert_allclose(forward, rebuilt, rtol=1e-6)


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(SCALES),
    st.integers(2, 3),
    st.sampled_from([4, 8, 32]),
    st.sampled_from([0.15, 0.8]),
)
def test_each_weight_takes_the_nearest_sum_of_the_scales_in_the_file(
    seed, scale, n_planes, scale_bits, density
):
    rng = np.random.default_rng(seed)
    weight, mask = rng.normal(size=(12, 7)).astype(np.float32), rng.random((12, 7)) < density
    planes, scales = Binarizer(n_planes, scale, scale_bits=scale_bits).encode(
        jnp.asarray(weight), jnp.asarray(mask)
    )
    assert (scales >= 0).all()
    signs = np.array(list(product((-1, 1), repeat=n_planes)))
    sums = np.tensordot(signs, np.broadcast_to(scales, planes.shape).astype(np.float64), axes=1)
    rebuilt = (scales * np.where(planes, 1, -1)).sum(0)
    nearest = abs(weight - sums).min(0)
    np.testing.assert_allclose(abs(weight - rebuilt)[mask], nearest[mask], rtol=1e-6, atol=1e-6)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(SCALES), st.sampled_from(["clipped", "identity"]))
def test_two_planes_are_those_of_any_number(seed, scale, ste):
    """The two means of a round against matrices and their inverses: weights, and gradients where the planes are in the
    same order.
    """
    rng = np.random.default_rng(seed)
    weight, g = jnp.asarray(rng.normal(size=(2, 12, 7)), jnp.float32)
    mask = jnp.asarray(rng.random((12, 7)) < 0.8)
    fast, slow = (_by(name, Binarizer(2, scale, ste), weight, mask, g) for name in ("_two", "_more"))
    np.testing.assert_allclose(fast[0], slow[0], rtol=1e-3, atol=1e-3)
    first, second = slow[2]
    as_there = np.broadcast_to(first >= second, weight.shape)
    np.testing.assert_allclose(fast[1][as_there], slow[1][as_there], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scale", SCALES)
def test_two_planes_of_equal_weights(scale):
    """One magnitude is enough."""
    weight, mask = jnp.asarray([[0.5, -0.5], [-0.5, 0.5]]), jnp.asarray([[True, True], [True, False]])
    np.testing.assert_allclose(
        Binarizer(2, scale).weight(weight, mask), weight * mask.astype(jnp.float32), rtol=1e-6
    )


@partial(jax.jit, static_argnums=(0, 1))
def _by(name, binarizer, weight, mask, g):
    def forward(weight):
        signs, scales = getattr(binarizer, name)(weight, mask)
        return mask.astype(weight.dtype) * (scales * signs).sum(0), scales

    value, back, scales = jax.vjp(forward, weight, has_aux=True)
    return value, back(g)[0], scales


@partial(jax.jit, static_argnums=0)
def _forward(binarizer, weight, mask):
    return binarizer.weight(weight, mask)


def test_more_planes_are_nearer():
    rng = np.random.default_rng(0)
    weight, mask = (
        jnp.asarray(rng.normal(size=(60, 50)), jnp.float32),
        jnp.asarray(rng.random((60, 50)) < 0.6),
    )
    total = jnp.square(weight)[mask].sum()
    left = [jnp.square(weight - Binarizer(q).weight(weight, mask))[mask].sum() / total for q in (1, 2, 3)]
    # Lloyd-Max quantizers of 2, 4 and 8 levels leave .363, .117 and .034 of a normal variable's variance.
    np.testing.assert_allclose(left, [0.363, 0.118, 0.037], atol=0.01)


@given(CASES, st.sampled_from(SCALES), st.sampled_from(["clipped", "identity"]))
def test_gradient_against_the_closed_form(case, scale, ste):
    """dL/dw = m (alpha g 1[|w| <= 1] + b / n sum_group(g b m)), with b = sign(w), sign(0) = 1."""
    weight, mask, g = case
    axes = scale_axes(scale, weight.ndim)
    grad = jax.vjp(lambda w: Binarizer(1, scale, ste).weight(w, mask), weight)[1](g)[0]
    w, mask, g = np.asarray(weight, np.float64), np.asarray(mask), np.asarray(g, np.float64)
    count = np.maximum(mask.sum(axes, keepdims=True), 1)
    alpha = (np.abs(w) * mask).sum(axes, keepdims=True) / count
    inside = np.abs(w) <= 1 if ste == "clipped" else 1
    b = np.where(w >= 0, 1, -1)
    expected = mask * (alpha * g * inside + b * (g * b * mask).sum(axes, keepdims=True) / count)
    np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-5)
    assert (np.asarray(grad)[~mask] == 0).all()


def test_layers_without_a_mask_stay_as_they_are():
    params = {"fc1/kernel": jnp.asarray([[0.5, -2.0]]), "fc1/bias": jnp.asarray([0.3, 0.7])}
    masks = {"fc1/kernel": jnp.asarray([[True, True]]), "fc1/bias": None}
    forward = BinaryForm.of({"fc1/kernel": Binarizer()})(params, masks)
    np.testing.assert_allclose(forward["fc1/kernel"], [[1.25, -1.25]])
    np.testing.assert_array_equal(forward["fc1/bias"], params["fc1/bias"])


@pytest.mark.parametrize("scale", SCALES)
def test_more_planes_pass_their_gradient_straight_through(scale):
    """dL/dw = m (sum_q alpha_q g [|left_q| <= 1] + d alpha_q / dw), with alpha the least squares fit for the signs."""
    rng = np.random.default_rng(3)
    weight, mask = rng.normal(size=(6, 5)).astype(np.float32), rng.random((6, 5)) < 0.7
    g, binarizer = rng.normal(size=(6, 5)).astype(np.float32), Binarizer(2, scale)
    grad = jax.vjp(lambda w: binarizer.weight(w, jnp.asarray(mask)), jnp.asarray(weight))[1](jnp.asarray(g))[
        0
    ]
    planes, scales = binarizer.encode(jnp.asarray(weight), jnp.asarray(mask))
    signs, scales = np.where(planes, 1.0, -1.0), np.broadcast_to(scales, planes.shape).astype(np.float64)
    left = [weight, weight - scales[0] * signs[0]]
    expected = sum(scales[q] * g * (np.abs(left[q]) <= 1) for q in (0, 1)) * mask
    groups = {
        "tensor": [()],
        "channel": [(slice(None), i) for i in range(5)],
        "row": [(i,) for i in range(6)],
    }
    for group in groups[scale]:
        kept = mask[group].ravel()
        basis = np.stack([signs[q][group].ravel() * kept for q in (0, 1)], axis=1)
        # Through the scales: the projection onto the planes.
        of_group = basis @ np.linalg.pinv(basis.T @ basis) @ basis.T @ g[group].ravel()
        expected[group] += of_group.reshape(expected[group].shape)
    np.testing.assert_allclose(grad, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n_planes", [1, 2])
def test_a_group_that_keeps_nothing_has_scale_zero(n_planes):
    weight = jnp.ones((2, 2))
    mask = jnp.asarray([[True, False], [True, False]])
    _, scales = Binarizer(n_planes, "channel").encode(weight, mask)
    assert (scales[:, :, 1] == 0).all()
    assert scales.sum() == pytest.approx(1)
    forward = Binarizer(n_planes, "channel").weight(weight, mask)
    np.testing.assert_allclose(forward, [[1, 0], [1, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("scale", "axes"), [("tensor", (0, 1, 2, 3)), ("channel", (0, 1, 2)), ("row", (1, 2, 3))]
)
def test_scale_axes(scale, axes):
    assert scale_axes(scale, 4) == axes
