"""Straight-through estimators of the sign: +1 or -1 forward, a gradient that ignores the step backward."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Sign = Callable[[Float[Array, "*shape"]], Float[Array, "*shape"]]


def _sign(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """+1 where x >= 0, else -1; unlike `jnp.sign` never 0, since one bit has two values."""
    return jnp.where(x >= 0, jnp.ones_like(x), -jnp.ones_like(x))


@jax.custom_vjp
def sign_identity(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Sign with the gradient of the identity (Bengio et al. 2013)."""
    return _sign(x)


@jax.custom_vjp
def sign_clipped(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Sign with the gradient of the identity inside [-1, 1] and 0 outside (Hubara et al. 2016)."""
    return _sign(x)


sign_identity.defvjp(lambda x: (_sign(x), None), lambda _, g: (g,))
sign_clipped.defvjp(lambda x: (_sign(x), x), lambda x, g: (jnp.where(jnp.abs(x) <= 1, g, jnp.zeros_like(g)),))

SIGNS: dict[str, Sign] = {"clipped": sign_clipped, "identity": sign_identity}
