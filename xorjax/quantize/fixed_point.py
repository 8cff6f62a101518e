"""Floats of few bits: integers times one power of two.

Every such number is an exact float32, and so is its product with a sign: what a network is trained with is what a file
of these bits holds, on any machine.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

FLOAT_BITS = 32


def fixed_point(values: Float[Array, "*shape"], bits: int, signed: bool = False) -> Float[Array, "*shape"]:
    """The nearest integers of `bits` bits times the least power of two that holds the largest magnitude.

    The gradient passes straight. With `FLOAT_BITS` the values as they are. The integers are 0 to 2^bits - 1, so that
    what is below 0 is 0; `signed` ones have a sign bit, and of their smallest value no use is made.
    """
    if bits == FLOAT_BITS:
        return values
    fixed, bits = jax.lax.stop_gradient(values), bits - signed
    # The largest is below 2^exponent, and at least half of it.
    _, exponent = jnp.frexp(jnp.abs(fixed).max() if signed else fixed.max())
    step = jnp.ldexp(jnp.ones((), values.dtype), exponent - bits)
    most = (1 << bits) - 1
    rounded = jnp.clip(jnp.round(fixed / step), -most if signed else 0, most)
    # -0 is no integer.
    rounded = jnp.where(rounded == 0, 0, rounded) * step
    return rounded + (values - fixed)
