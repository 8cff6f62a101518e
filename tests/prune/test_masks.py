import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.prune.masks import (
    apply_masks,
    full_masks,
    magnitudes,
    n_kept,
    prune_by_magnitude,
    prune_by_score,
)

# Few distinct magnitudes, so that ties are the rule; few shapes, since each costs a compilation.
WEIGHTS = st.sampled_from([(1, 1), (2, 3), (7, 9)]).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=st.sampled_from([-2, -1, 0, 1, 3]))
)
RATES = st.floats(0, 0.999)


def params_of(*weights):
    return {f"fc{i}/kernel": jnp.asarray(w) for i, w in enumerate(weights)} | {"fc0/bias": jnp.zeros(3)}


def kept_by_hand(weight, count):
    """The flat indices of the `count` largest magnitudes, lower index first among equals."""
    order = sorted(range(weight.size), key=lambda i: (-abs(float(weight.flat[i])), i))
    return set(order[:count])


@given(WEIGHTS, RATES)
def test_layer_scope_keeps_exactly_the_largest(weight, rate):
    params = params_of(weight)
    mask = prune_by_magnitude(params, full_masks(params, ["fc0"]), rate, "layer")["fc0/kernel"]
    assert set(np.flatnonzero(mask)) == kept_by_hand(weight, n_kept(weight.size, rate))


@given(WEIGHTS, WEIGHTS, RATES)
def test_global_scope_keeps_the_exact_count_and_empties_no_layer(first, second, rate):
    params = params_of(first, second)
    masks = prune_by_magnitude(params, full_masks(params, ["fc*"]), rate, "global")
    kept = [np.asarray(masks[f"fc{i}/kernel"]) for i in (0, 1)]
    assert sum(k.sum() for k in kept) == max(2, n_kept(first.size + second.size, rate))
    assert all(k.any() for k in kept)
    # Apart from each layer's largest, nothing kept is smaller than anything pruned.
    magnitudes = [np.abs(first), np.abs(second)]
    pruned = [m[~k].max(initial=-1) for m, k in zip(magnitudes, kept, strict=True)]
    weakest = [np.sort(m[k])[:-1].min(initial=9) for m, k in zip(magnitudes, kept, strict=True)]
    assert min(weakest) >= max(pruned) or min(k.sum() for k in kept) == 1


@given(WEIGHTS, st.lists(RATES, min_size=2, max_size=4).map(sorted), st.sampled_from(["layer", "global"]))
def test_masks_are_nested_even_when_pruned_weights_would_grow_back(weight, rates, scope):
    params = params_of(weight)
    masks = full_masks(params, ["fc0"])
    for rate in rates:
        before = np.asarray(masks["fc0/kernel"])
        masks = prune_by_magnitude(params, masks, rate, scope)
        after = np.asarray(masks["fc0/kernel"])
        assert not (after & ~before).any()
        params = {path: -value[::-1] * 2 for path, value in params.items()}


def test_a_layer_never_becomes_empty():
    params = params_of(np.ones((2, 3), np.float32))
    mask = prune_by_magnitude(params, full_masks(params, ["fc0"]), 0.999, "layer")["fc0/kernel"]
    assert np.flatnonzero(mask).tolist() == [0]


def test_patterns_choose_kernels_only():
    params = params_of(np.ones((2, 2)), np.ones((2, 2)))
    masks = full_masks(params, ["fc1"])
    assert [path for path, mask in masks.items() if mask is not None] == ["fc1/kernel"]
    assert full_masks(params, ["*"])["fc0/bias"] is None


def test_pruned_weights_are_exactly_zero():
    params = params_of(np.array([[3.0, -0.5], [0.25, 2.0]], np.float32))
    masked = apply_masks(params, prune_by_magnitude(params, full_masks(params, ["fc0"]), 0.5, "layer"))
    np.testing.assert_array_equal(masked["fc0/kernel"], [[3, 0], [0, 2]])
    np.testing.assert_array_equal(masked["fc0/bias"], params["fc0/bias"])


def test_nan_is_refused_by_name():
    params = params_of(np.array([[1, np.nan]], np.float32))
    with pytest.raises(ValueError, match=r"fc0/kernel.*NaN"):
        prune_by_magnitude(params, full_masks(params, ["fc0"]), 0.5, "layer")


def test_a_lower_rate_than_the_masks_have_is_refused():
    params = params_of(np.arange(8, dtype=np.float32).reshape(2, 4))
    masks = prune_by_magnitude(params, full_masks(params, ["fc0"]), 0.75, "layer")
    with pytest.raises(ValueError, match=r"fc0/kernel.*0\.5"):
        prune_by_magnitude(params, masks, 0.5, "layer")


@given(WEIGHTS, WEIGHTS, RATES, RATES)
def test_each_layer_has_a_rate_of_its_own(first, second, one, other):
    params = params_of(first, second)
    masks, scores = full_masks(params, ["fc*"]), magnitudes(params, full_masks(params, ["fc*"]))
    rates = {"fc0/kernel": one, "fc1/kernel": other}
    kept = prune_by_score(scores, masks, rates, "layer")
    for (path, rate), weight in zip(rates.items(), (first, second), strict=True):
        assert set(np.flatnonzero(kept[path])) == kept_by_hand(weight, n_kept(weight.size, rate))
    if one != other:
        with pytest.raises(ValueError, match="a global ranking has one prune rate, not"):
            prune_by_score(scores, masks, rates, "global")
