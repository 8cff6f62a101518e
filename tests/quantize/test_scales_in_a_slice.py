"""Where a slice has several scales a weight counts by its own in the search for code words."""

import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.codec.trained import TrainedCode
from xorjax.quantize.binarize import project
from xorjax.quantize.binary import Binarizer
from xorjax.quantize.nearest import nearest_signs
from xorjax.tiles import Weights

CODE = TrainedCode(n_in=4, n_out=10)
RNG = np.random.default_rng(0)


def uneven(n_inputs=35, n_outputs=12):
    """Rows of weights of very different sizes, and a mask."""
    sizes = np.exp(RNG.normal(size=(n_inputs, 1)))
    weight = (sizes * RNG.normal(size=(n_inputs, n_outputs))).astype(np.float32)
    return weight, RNG.random(weight.shape) < 0.8


def by_definition(weight, mask):
    """For each slice the vector t that maximizes the sum of s t w, a slice after the other."""
    sizes = (abs(weight) * mask).sum(1) / np.maximum(mask.sum(1), 1)
    vectors = np.where(CODE.vectors, 1.0, -1.0)
    signs = np.zeros(weight.shape)
    for first in range(0, len(weight), CODE.n_out):
        of_slice = slice(first, first + CODE.n_out)
        for n in range(weight.shape[1]):
            wanted = sizes[of_slice] * weight[of_slice, n] * mask[of_slice, n]
            signs[of_slice, n] = vectors[(vectors[:, : len(wanted)] @ wanted).argmax()][: len(wanted)]
    return signs


def test_it_is_the_definition_and_nearer_than_without():
    weight, mask = uneven()
    own = Binarizer(n_planes=1, scale="row", code=CODE)
    planes, scales = own.encode(jnp.asarray(weight), jnp.asarray(mask))
    np.testing.assert_array_equal(planes[0], (by_definition(weight, mask) > 0) & mask)
    plain = np.asarray(nearest_signs(jnp.asarray(weight * mask), CODE))

    def fit(signs):
        return (weight * signs * mask).sum(1, keepdims=True) / np.maximum(mask.sum(1, keepdims=True), 1)

    def error(signs):
        return float((((weight - fit(signs) * signs) * mask) ** 2).sum())

    signs = np.where(planes[0], 1, -1)
    assert error(signs) < 0.99 * error(plain)
    np.testing.assert_allclose(scales[0], fit(signs), rtol=1e-5)


@pytest.mark.parametrize(("scale", "slicing"), [("row", "inputs"), ("channel", "inputs_last")])
def test_numpy_finds_the_same(scale, slicing):
    weight, mask = uneven()
    code = TrainedCode(n_in=4, n_out=10, slicing=slicing)
    turned = (lambda array: array) if slicing == "inputs" else np.transpose
    planes, _ = project(Weights.of("", turned(weight)), turned(mask), 1, scale, code)
    np.testing.assert_array_equal(turned(planes[0]), (by_definition(weight, mask) > 0) & mask)


def test_other_slicings_are_not_trained():
    with pytest.raises(ValueError, match=r"code\.slicing is 'inputs_last', expected 'inputs'"):
        nearest_signs(jnp.zeros((4, 4)), TrainedCode(n_in=2, n_out=2, slicing="inputs_last"))
