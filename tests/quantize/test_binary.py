import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.quantize.binary import SCALES, BinaryCode, scale_axes

ELEMENTS = st.floats(-2, 2, width=32, allow_subnormal=False)
# Few shapes: each costs a compilation.
CASES = st.sampled_from([(1, 1), (4, 3), (2, 2, 3, 4)]).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.float32, shape, elements=ELEMENTS).map(jnp.asarray),
        hnp.arrays(bool, shape).map(jnp.asarray),
        hnp.arrays(np.float32, shape, elements=ELEMENTS).map(jnp.asarray),
    )
)


def code_by_hand(weight, mask, scale, n_planes):
    """Planes and scales, group by group in float64, from the definition."""
    weight, mask, axes = np.asarray(weight), np.asarray(mask), scale_axes(scale, weight.ndim)
    groups = (
        [(i,) for i in range(weight.shape[-1 if scale == "channel" else 0])] if scale != "tensor" else [()]
    )
    planes = np.zeros((n_planes, *weight.shape), bool)
    scales = np.zeros((n_planes, *(1 if a in axes else s for a, s in enumerate(weight.shape))))
    for (group,) in groups if scale != "tensor" else [(slice(None),)]:
        where = (..., group) if scale == "channel" else (group,)
        left = weight[where].astype(np.float64)
        for q in range(n_planes):
            kept = np.abs(left)[mask[where]]
            alpha = kept.mean() if kept.size else 0.0
            planes[q][where] = left >= 0
            np.moveaxis(scales[q], -1 if scale == "channel" else 0, 0)[group] = alpha
            left = left - alpha * np.where(left >= 0, 1, -1)
    return planes, scales


@given(CASES, st.sampled_from(SCALES))
def test_one_plane_is_the_signs_and_the_mean_magnitude(case, scale):
    weight, mask, _ = case
    planes, scales = BinaryCode(1, scale).encode(weight, mask)
    expected_planes, expected_scales = code_by_hand(weight, mask, scale, 1)
    np.testing.assert_array_equal(planes, expected_planes)
    np.testing.assert_allclose(scales, expected_scales, rtol=1e-5, atol=1e-6)


def test_more_planes_code_what_is_left():
    rng = np.random.default_rng(0)
    weight = jnp.asarray(rng.normal(size=(6, 5)), jnp.float32)
    mask = jnp.asarray(rng.random((6, 5)) < 0.6)
    planes, scales = BinaryCode(3, "channel").encode(weight, mask)
    expected_planes, expected_scales = code_by_hand(weight, mask, "channel", 3)
    np.testing.assert_array_equal(planes, expected_planes)
    np.testing.assert_allclose(scales, expected_scales, rtol=1e-5, atol=1e-6)
    errors = [
        jnp.square(weight - BinaryCode(q, "channel").weight(weight, mask))[mask].sum() for q in (1, 2, 3)
    ]
    assert errors == sorted(errors, reverse=True)


@given(CASES, st.sampled_from(SCALES), st.integers(1, 3))
def test_the_forward_weight_is_rebuilt_from_planes_and_scales(case, scale, n_planes):
    weight, mask, _ = case
    code = BinaryCode(n_planes, scale)
    planes, scales = (np.asarray(a) for a in code.encode(weight, mask))
    forward, mask = np.asarray(code.weight(weight, mask)), np.asarray(mask)
    rebuilt = mask * (scales * np.where(planes, np.float32(1), np.float32(-1))).sum(0)
    np.testing.assert_allclose(forward, rebuilt, rtol=1e-6, atol=1e-7)
    assert (forward[~mask] == 0).all()


@given(CASES, st.sampled_from(SCALES), st.sampled_from(["clipped", "identity"]))
def test_gradient_against_the_closed_form(case, scale, ste):
    """dL/dw = m (alpha g 1[|w| <= 1] + b / n sum_group(g b m)), with b = sign(w), sign(0) = 1."""
    weight, mask, g = case
    axes = scale_axes(scale, weight.ndim)
    grad = jax.vjp(lambda w: BinaryCode(1, scale, ste).weight(w, mask), weight)[1](g)[0]
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
    forward = BinaryCode(1, "tensor")(params, masks)
    np.testing.assert_allclose(forward["fc1/kernel"], [[1.25, -1.25]])
    np.testing.assert_array_equal(forward["fc1/bias"], params["fc1/bias"])


def test_a_group_that_keeps_nothing_has_scale_zero():
    weight = jnp.ones((2, 2))
    mask = jnp.asarray([[True, False], [True, False]])
    _, scales = BinaryCode(1, "channel").encode(weight, mask)
    np.testing.assert_array_equal(scales, [[[1, 0]]])


@pytest.mark.parametrize(
    ("scale", "axes"), [("tensor", (0, 1, 2, 3)), ("channel", (0, 1, 2)), ("row", (1, 2, 3))]
)
def test_scale_axes(scale, axes):
    assert scale_axes(scale, 4) == axes
