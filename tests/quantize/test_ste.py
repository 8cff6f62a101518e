import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.quantize.ste import sign_clipped, sign_identity

# The edges of the clipped region, both zeros, and anything else.
ELEMENTS = st.one_of(
    st.sampled_from([-1.0, 1.0, 0.0, -0.0, 1.0000001, -1.0000001]), st.floats(-3, 3, width=32)
)
ARRAYS = hnp.arrays(np.float32, (3, 4), elements=ELEMENTS).map(jnp.asarray)
PAIRS = st.tuples(ARRAYS, ARRAYS)


@given(PAIRS)
def test_forward_is_plus_or_minus_one(pair):
    x, _ = pair
    expected = np.where(x < 0, -1, 1)
    np.testing.assert_array_equal(sign_identity(x), expected)
    np.testing.assert_array_equal(sign_clipped(x), expected)


@given(PAIRS)
def test_identity_passes_the_gradient_unchanged(pair):
    x, g = pair
    np.testing.assert_array_equal(jax.vjp(sign_identity, x)[1](g)[0], g)


@given(PAIRS)
def test_clipped_passes_it_inside_the_unit_interval_only(pair):
    x, g = pair
    gradient = jax.vjp(sign_clipped, x)[1](g)[0]
    np.testing.assert_array_equal(gradient, np.where((x >= -1) & (x <= 1), g, 0))
