"""Floats of few bits: integers times one power of two.

Every such number is an exact float32, and so is its product with a sign: what a network is trained with is what a file
of these bits holds, on any machine.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FLOAT_BITS = 32


def fixed_point(values: Float[Array, "*shape"], bits: int) -> Float[Array, "*shape"]:
    """The nearest of 0 to 2^bits - 1 times the least power of two that holds the largest; the gradient passes straight.

    Below 0 is 0. With `FLOAT_BITS` the values as they are.
    """
    if bits == FLOAT_BITS:
        return values
    fixed = jax.lax.stop_gradient(values)
    # The largest is below 2^exponent, and at least half of it.
    _, exponent = jnp.frexp(fixed.max())
    step = jnp.ldexp(jnp.ones((), values.dtype), exponent - bits)
    rounded = jnp.clip(jnp.round(fixed / step), 0, (1 << bits) - 1) * step
    return rounded + (values - fixed)
