"""Binary coding: the least squares fit, never worse for the alternation, its scales where they belong."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorjax import tiles
from xorjax.quantize import binarize as module
from xorjax.quantize.binarize import binarize, scale_axes
from xorjax.settings import SCALES
from xorjax.tiles import Weights


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 11)


def decode(planes, scales, mask):
    return (scales * (2 * planes.astype(np.float64) - 1)).sum(axis=0) * mask


def square(weights, planes, scales, mask):
    return float(np.square((weights - decode(planes, scales, mask))[mask]).sum())


cases = given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple),
    n_planes=st.integers(1, 3),
    scale=st.sampled_from(SCALES),
)


def made(seed, shape):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape, dtype=np.float32), rng.random(shape) < 0.6


@cases
def test_shapes_and_groups(seed, shape, n_planes, scale):
    weights, mask = made(seed, shape)
    planes, scales = binarize(Weights.of("a", weights), mask, n_planes, scale)
    assert planes.shape == (n_planes, *shape)
    assert scales.dtype == np.float32
    shared = scale_axes(scale, len(shape))
    assert scales.shape == (n_planes, *(1 if axis in shared else size for axis, size in enumerate(shape)))
    assert not planes[:, ~mask].any()


@cases
def test_one_plane_is_the_sign_and_the_mean_magnitude(seed, shape, n_planes, scale):
    weights, mask = made(seed, shape)
    planes, scales = binarize(Weights.of("a", weights), mask, 1, scale)
    axes = scale_axes(scale, len(shape))
    count = np.maximum(mask.sum(axis=axes, keepdims=True), 1)
    mean = (np.abs(weights) * mask).sum(axis=axes, keepdims=True, dtype=np.float64) / count
    assert np.allclose(scales[0], mean, rtol=1e-6)
    assert np.array_equal(planes[0], (weights >= 0) & mask)


@settings(max_examples=50)
@cases
def test_each_weight_takes_the_nearest_sum_of_its_scales(seed, shape, n_planes, scale):
    weights, mask = made(seed, shape)
    planes, scales = binarize(Weights.of("a", weights), mask, n_planes, scale)
    error = np.abs(weights - decode(planes, scales, mask))[mask]
    signs = np.array(list(itertools.product((-1, 1), repeat=n_planes)))
    full = np.broadcast_to(scales, (n_planes, *shape)).astype(np.float64)
    nearest = np.abs(weights - np.tensordot(signs, full, axes=1)).min(axis=0)[mask]
    assert np.allclose(error, nearest, rtol=1e-6, atol=1e-7)


@settings(max_examples=50)
@cases
def test_alternation_never_makes_the_error_larger(seed, shape, n_planes, scale):
    weights, mask = made(seed, shape)
    errors = []
    with pytest.MonkeyPatch.context() as patch:
        for rounds in (0, 1, 2, 20):
            patch.setattr(module, "ROUNDS", rounds)
            errors.append(square(weights, *binarize(Weights.of("a", weights), mask, n_planes, scale), mask))
    assert all(later <= earlier * (1 + 1e-5) + 1e-9 for earlier, later in itertools.pairwise(errors))


@settings(max_examples=50)
@cases
def test_it_is_the_slow_alternation(seed, shape, n_planes, scale):
    """Group by group, each weight against all sums, the scales by a solver of least squares.

    Of three planes not: few weights may have several fits that are as good, from which the rounds go on differently.
    """
    n_planes = min(n_planes, 2)
    weights, mask = made(seed, shape)
    planes, scales = binarize(Weights.of("a", weights), mask, n_planes, scale)
    axes, left = scale_axes(scale, len(shape)), 0.0
    signs = np.array(list(itertools.product((-1, 1), repeat=n_planes)))
    for index in np.ndindex(tuple(1 if axis in axes else size for axis, size in enumerate(shape))):
        group = tuple(slice(None) if axis in axes else i for axis, i in enumerate(index))
        values = weights[group][mask[group]].astype(np.float64)
        fitted, rest = [], values
        for _ in range(n_planes):
            fitted.append(abs(rest).mean() if len(rest) else 0.0)
            rest = rest - fitted[-1] * np.where(rest >= 0, 1, -1)
        # A group may settle before the tensor does: further rounds do not change it.
        for _ in range(module.ROUNDS if n_planes > 1 else 0):
            chosen = signs[abs(values[:, None] - signs @ fitted).argmin(axis=1)]
            fitted = np.linalg.lstsq(chosen, values, rcond=None)[0]
        left += np.square(values[:, None] - signs @ fitted).min(axis=1, initial=np.inf).sum()
    assert square(weights, planes, scales, mask) == pytest.approx(left, rel=2e-3, abs=1e-6)


def test_alternation_helps_and_more_planes_help(monkeypatch):
    monkeypatch.setattr(tiles, "TILE", 4096)
    weights, mask = made(0, (200, 300))
    errors = [
        square(weights, *binarize(Weights.of("a", weights), mask, q, "tensor"), mask) for q in (1, 2, 3)
    ]
    # Lloyd-Max quantizers of 2, 4 and 8 levels leave .363, .117 and .034 of a normal variable's variance.
    assert np.allclose(np.array(errors) / np.square(weights[mask]).sum(), [0.363, 0.118, 0.037], atol=0.004)


def test_a_group_without_weights_has_scales_of_zero():
    weights, mask = made(0, (4, 5))
    mask[2] = False
    planes, scales = binarize(Weights.of("a", weights), mask, 2, "row")
    assert np.isfinite(scales).all()
    assert (scales[:, 2] == 0).all()
    assert not planes[:, 2].any()
