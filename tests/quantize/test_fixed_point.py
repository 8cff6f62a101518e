"""Fixed point: nearest, exact in float32, and gradients that pass."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.codec.trained import TrainedCode
from xorjax.container.narrow import narrow
from xorjax.quantize.binary import Binarizer
from xorjax.quantize.fixed_point import fixed_point
from xorjax.quantize.latent import LatentLayer

FLOATS = st.floats(2**-60, 2**60, width=32)


def by_definition(values: np.ndarray, bits: int) -> list[Fraction]:
    """The least power of two that holds the largest, and the nearest multiple of it, ties to even."""
    largest, step = Fraction(float(values.max())), Fraction(1)
    while largest >= step * 2**bits:
        step *= 2
    while largest < step * 2 ** (bits - 1):
        step /= 2
    return [min(round(Fraction(float(value)) / step), 2**bits - 1) * step for value in values]


@given(hnp.arrays(np.float32, st.integers(1, 6), elements=FLOATS), st.sampled_from([2, 8, 16]))
def test_nearest_multiples(values, bits):
    found = np.asarray(fixed_point(jnp.asarray(values), bits))
    assert [Fraction(float(value)) for value in found] == by_definition(values, bits)
    np.testing.assert_array_equal(fixed_point(jnp.asarray(found), bits), found)


@given(
    hnp.arrays(np.float32, st.integers(1, 6), elements=FLOATS | FLOATS.map(lambda value: -value)),
    st.sampled_from([2, 8, 16]),
)
def test_nearest_multiples_with_a_sign(values, bits):
    found = np.asarray(fixed_point(jnp.asarray(values), bits, signed=True))
    sizes = by_definition(np.abs(values), bits - 1)
    wanted = [size if value > 0 else -size for size, value in zip(sizes, values, strict=True)]
    assert [Fraction(float(value)) for value in found] == wanted
    assert not np.signbit(found[found == 0]).any()


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.int8), (16, np.int16), (4, np.int8)])
def test_a_file_holds_them_in_so_many_bits(bits, dtype):
    values = np.random.default_rng(0).standard_normal(99).astype(np.float32)
    signed = np.asarray(jax.jit(lambda x: fixed_point(x, bits, signed=True))(values))
    assert narrow(signed)[0].dtype == dtype
    positive = np.asarray(fixed_point(jnp.abs(values), bits))
    assert narrow(positive)[0].dtype.itemsize == np.dtype(dtype).itemsize


def test_32_bits_are_floats_and_none_is_below_0():
    values = jnp.asarray([-1.0, 0.0, 0.3])
    assert fixed_point(values, 32) is values
    np.testing.assert_array_equal(fixed_point(values, 2), [0, 0, 0.25])
    np.testing.assert_array_equal(fixed_point(jnp.zeros(3), 8), 0)


def test_the_gradient_passes_straight():
    gradient = jax.jit(jax.grad(lambda x: (fixed_point(x, 8) * jnp.arange(3.0)).sum()))(
        jnp.asarray([0.1, 0.7, -0.2])
    )
    np.testing.assert_array_equal(gradient, [0, 1, 2])


def assert_integers(values, bits):
    """All are integers below 2^bits times the least power of two that holds the largest."""
    _, exponent = np.frexp(values.max())
    integers = np.asarray(values, np.float64) / 2.0 ** (int(exponent) - bits)
    np.testing.assert_array_equal(integers, np.round(integers))
    assert integers.min() >= 0
    assert integers.max() < 1 << bits


@pytest.mark.parametrize("n_planes", [1, 2, 3])
@pytest.mark.parametrize("code", [None, TrainedCode(8, 20)])
def test_what_is_encoded_is_what_was_trained(n_planes, code):
    rng = np.random.default_rng(0)
    weight, mask = jnp.asarray(rng.standard_normal((70, 11)), jnp.float32), jnp.ones((70, 11), bool)
    binarizer = Binarizer(n_planes, "channel", code=code, scale_bits=8)
    planes, scales = binarizer.encode(weight, mask)
    formed = (scales * (2.0 * planes - 1)).sum(0)
    np.testing.assert_array_equal(jax.jit(binarizer.weight)(weight, mask), formed)
    np.testing.assert_array_equal(fixed_point(jnp.asarray(scales), 8), scales)
    assert_integers(scales, 8)


def test_latent_scales():
    layer = LatentLayer((12, 8), 1, "channel", TrainedCode(4, 6), scale_bits=4)
    _, scales = layer.start(np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32), 0)
    found = np.asarray(layer.scales(jnp.asarray(scales)))
    assert_integers(found, 4)
    np.testing.assert_allclose(found, scales, atol=scales.max() / 8)
