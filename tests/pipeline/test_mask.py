"""The gradients that reach what a mask removes; the stage as a whole is in test_point."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xorjax.pipeline.mask import straight_through
from xorjax.prune.masks import apply_masks


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_straight_through_is_the_mask_forward_and_nothing_backward(seed, kept):
    rng = np.random.default_rng(seed)
    params = {name: jnp.asarray(rng.normal(size=(4, 3)).astype(np.float32)) for name in ("masked", "free")}
    masks = {"masked": jnp.asarray(rng.random((4, 3)) < kept), "free": None}
    along = {name: jnp.asarray(rng.normal(size=(4, 3)).astype(np.float32)) for name in params}

    def value(form, params):
        formed = form(params, masks)
        return sum((along[name] * jnp.sin(formed[name])).sum() for name in params)

    formed, expected = straight_through(params, masks), apply_masks(params, masks)
    for name in params:
        np.testing.assert_array_equal(formed[name], expected[name])
    found = jax.grad(lambda params: value(straight_through, params))(params)
    of_formed = jax.grad(lambda formed: value(lambda params, _: params, formed))(expected)
    for name in params:
        np.testing.assert_array_equal(found[name], of_formed[name])
