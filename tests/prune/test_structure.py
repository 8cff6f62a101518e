import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.masks import encode_mask
from xorjax.masks.densities import density_logits
from xorjax.prune.masks import full_masks, n_kept, outgoing, prune_by_score
from xorjax.prune.structure import density_bias


def uneven_mask(seed=0, shape=(60, 40)):
    rng = np.random.default_rng(seed)
    logits = rng.normal(-2, 1, shape[0])[:, None] + rng.normal(0, 1, shape[1])
    return rng.random(shape) < 1 / (1 + np.exp(-logits))


def test_the_model_reproduces_the_counts_of_rows_and_columns():
    mask = uneven_mask()
    a, b = density_logits(mask)
    likely = 1 / (1 + np.exp(-(a[:, None] + b)))
    # Nearly: the penalty pulls extreme rows towards the mean.
    np.testing.assert_allclose(likely.sum(axis=1), mask.sum(axis=1), atol=2.0)
    np.testing.assert_allclose(likely.sum(axis=0), mask.sum(axis=0), atol=2.0)


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8)))
def test_logits_are_finite_and_lowest_where_nothing_is_kept(mask):
    a, b = density_logits(mask)
    assert np.isfinite(a).all()
    assert np.isfinite(b).all()
    assert (a[~mask.any(axis=1)] == a.min()).all()
    assert (b[~mask.any(axis=0)] == b.min()).all()


def test_a_kernel_of_any_rank_has_its_last_axis_as_columns():
    mask = uneven_mask().reshape(3, 20, 40)
    np.testing.assert_array_equal(density_bias(mask).reshape(60, 40), density_bias(mask.reshape(60, 40)))


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_more_structure_gives_masks_of_fewer_index_bits_at_the_same_rate(scope):
    rng = np.random.default_rng(1)
    scores = {"fc1/kernel": np.abs(rng.normal(size=(120, 80))).astype(np.float32)}
    masks = full_masks({"fc1/kernel": jnp.asarray(scores["fc1/kernel"])}, ["fc1"])
    bits = []
    for structure in (0.0, 0.3, 1.0):
        kept = masks
        for rate in (0.5, 0.8, 0.95):
            before = np.asarray(kept["fc1/kernel"])
            kept = prune_by_score(scores, kept, {"fc1/kernel": rate}, scope, structure)
            mask = np.asarray(kept["fc1/kernel"])
            assert mask.sum() == n_kept(mask.size, rate)
            assert not (mask & ~before).any()
        bits.append(encode_mask(mask, "ans_rc").bits_per_weight)
    assert bits[0] > 1.1 * bits[1] > 1.1 * 1.1 * bits[2]


@given(st.integers(0, 2**16), st.floats(0.05, 0.95))
def test_structure_keeps_the_exact_count_where_scores_are_zero(seed, rate):
    rng = np.random.default_rng(seed)
    scores = {"fc1/kernel": np.float32(rng.integers(0, 2, (7, 9)))}
    masks = full_masks({"fc1/kernel": jnp.zeros((7, 9))}, ["fc1"])
    mask = np.asarray(prune_by_score(scores, masks, {"fc1/kernel": rate}, "layer", 0.5)["fc1/kernel"])
    assert mask.sum() == n_kept(63, rate)


def test_outgoing_is_the_norm_of_the_weights_that_the_output_meets():
    rng = np.random.default_rng(2)
    params = {
        "conv2/kernel": jnp.asarray(rng.normal(size=(2, 2, 3, 4)), jnp.float32),
        "fc1/kernel": jnp.asarray(rng.normal(size=(24, 5)), jnp.float32),
    }
    scores = {path: np.abs(np.asarray(value)) for path, value in params.items()}
    scaled = outgoing(scores, params, {"conv2/kernel": "fc1/kernel"})
    # Channels come last when the features are flattened: channel c meets rows c, c + 4, ...
    for channel in range(4):
        norm = np.linalg.norm(np.asarray(params["fc1/kernel"])[channel::4])
        np.testing.assert_allclose(
            scaled["conv2/kernel"][..., channel], scores["conv2/kernel"][..., channel] * norm, rtol=1e-6
        )
    np.testing.assert_array_equal(scaled["fc1/kernel"], scores["fc1/kernel"])
