"""The convolution against the definition, and its backward pass against XLA's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from xorjax.models.conv import Conv, conv2d, input_gradient


def draw(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def by_definition(x, kernel):
    rows, columns = kernel.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (rows, columns), axis=(1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, kernel)


def by_xla(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


# (batch, height, width, n_in, n_out, rows, columns): batches that 16 divides, shares a factor with, and neither.
SHAPES = [(1, 5, 5, 1, 1, 5, 5), (3, 6, 7, 2, 3, 3, 2), (24, 4, 4, 3, 2, 1, 1), (32, 12, 12, 20, 50, 5, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_is_the_definition(shape):
    batch, height, width, n_in, n_out, rows, columns = shape
    x, kernel = draw(0, (batch, height, width, n_in), (rows, columns, n_in, n_out))
    expected = by_definition(np.asarray(x, np.float64), np.asarray(kernel, np.float64))
    np.testing.assert_allclose(conv2d(x, kernel), expected, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_xlas(shape):
    batch, height, width, n_in, n_out, rows, columns = shape
    x, kernel = draw(1, (batch, height, width, n_in), (rows, columns, n_in, n_out))
    output, transpose = jax.vjp(jax.jit(conv2d), x, kernel)
    expected_output, expected_transpose = jax.vjp(by_xla, x, kernel)
    (gradient,) = draw(2, output.shape)
    np.testing.assert_array_equal(output, expected_output)
    for ours, expected in zip(transpose(gradient), expected_transpose(gradient), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


@settings(max_examples=8)
@given(
    batch=st.integers(1, 33),
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_input_gradient_is_the_transpose(batch, size, window, channels):
    """<conv(x), g> = <x, input_gradient(g)> for every x and g."""
    height, width = size[0] + window[0] - 1, size[1] + window[1] - 1
    x, kernel, gradient = draw(
        3, (batch, height, width, channels[0]), (*window, *channels), (batch, *size, channels[1])
    )
    left = np.vdot(np.asarray(by_definition(x, kernel), np.float64), np.asarray(gradient, np.float64))
    right = np.vdot(np.asarray(x, np.float64), np.asarray(input_gradient(gradient, kernel), np.float64))
    np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-3)


def test_layer_adds_its_bias():
    layer = Conv(2, 3, 2, rngs=nnx.Rngs(0))
    layer.bias[...] = jnp.array([1.0, 2.0, 3.0])
    (x,) = draw(4, (1, 3, 3, 2))
    np.testing.assert_allclose(
        layer(x), np.asarray(conv2d(x, layer.kernel[...])) + np.array([1, 2, 3]), rtol=1e-6
    )
