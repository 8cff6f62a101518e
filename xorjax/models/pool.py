"""2x2 max pooling by reshape and max, forward and backward: what XLA fuses well on every device.

The gradient of `reduce_window` is a select-and-scatter, which on CPU costs more than the convolutions; that of
`max` divides by the number of maxima. Here the gradient goes to the first maximum, in row-major order.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def max_pool(x: Float[Array, "batch height width channels"]) -> Float[Array, "batch rows columns channels"]:
    """Maxima of 2x2 windows, stride 2, for even heights and widths."""
    return _windows(x).max(axis=(2, 4))


def _windows(x: Array) -> Float[Array, "batch rows 2 columns 2 channels"]:
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels)


def _forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    maxima = max_pool(x)
    return maxima, (x, maxima)


def _backward(saved: tuple[Array, Array], gradient: Array) -> tuple[Array]:
    x, maxima = saved
    windows = _windows(x)
    taken = jnp.zeros(maxima.shape, bool)
    parts = []
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        is_maximum = windows[:, :, i, :, j] == maxima
        parts.append(jnp.where(is_maximum & ~taken, gradient, 0.0))
        taken |= is_maximum
    rows = [jnp.stack(parts[:2], axis=3), jnp.stack(parts[2:], axis=3)]
    return (jnp.stack(rows, axis=2).reshape(x.shape),)


max_pool.defvjp(_forward, _backward)
