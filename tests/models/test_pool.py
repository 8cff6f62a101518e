"""Pooling against `reduce_window`, forward and, where windows have one maximum or several, backward."""

import jax
import jax.numpy as jnp
import numpy as np

from xorjax.models.pool import max_pool


def by_xla(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def test_forward_and_backward_are_reduce_windows():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(3, 6, 8, 5)), jnp.float32)
    gradient = jnp.asarray(rng.normal(size=(3, 3, 4, 5)), jnp.float32)
    pooled, transpose = jax.vjp(max_pool, x)
    expected, expected_transpose = jax.vjp(by_xla, x)
    np.testing.assert_array_equal(pooled, expected)
    np.testing.assert_array_equal(transpose(gradient)[0], expected_transpose(gradient)[0])


def test_the_first_of_equal_maxima_gets_the_gradient():
    x = jnp.array([[[2, 2, 0, 1], [2, 2, 1, 1]], [[0, 0, 3, 1], [1, 1, 3, 3]]], jnp.float32)[..., None]
    _, transpose = jax.vjp(max_pool, x)
    gradient = transpose(jnp.array([[[[5.0], [7.0]]], [[[5.0], [7.0]]]]))[0][..., 0]
    expected = [[[5, 0, 0, 7], [0, 0, 0, 0]], [[0, 0, 7, 0], [5, 0, 0, 0]]]
    assert gradient.tolist() == expected
