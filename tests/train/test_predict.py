"""Predictions do not depend on the batch size, and features carry a frozen prefix exactly."""

import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.data import Split
from xorjax.models import create_model, merge
from xorjax.train import accuracy, features, predict, run_blocks


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return Split(
        rng.integers(0, 256, (11, 28, 28, 1), dtype=np.uint8), rng.integers(0, 10, 11).astype(np.int32)
    )


def test_predict_is_the_model(images):
    graphdef, params = create_model("lenet5", 0)
    model = merge(graphdef, params)
    expected = model(jnp.asarray(images.inputs / 255.0, jnp.float32))
    for batch_size in (4, 11, 100):
        logits = predict(model, images.inputs, batch_size=batch_size)
        assert (logits.shape, logits.dtype) == ((11, 10), np.float32)
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_features_are_the_inputs_of_the_rest(images):
    graphdef, params = create_model("lenet5", 0)
    model = merge(graphdef, params)
    of_convolutions = features(graphdef, params, images, stop=2, batch_size=4)
    assert of_convolutions.inputs.shape == (11, 800)
    assert of_convolutions.inputs.dtype == np.float32
    assert np.array_equal(of_convolutions.labels, images.labels)
    np.testing.assert_allclose(
        predict(model, of_convolutions.inputs, start=2), predict(model, images.inputs), atol=1e-5
    )
    assert np.array_equal(run_blocks(model, images.inputs, 0, 2, 4), of_convolutions.inputs)


def test_accuracy_counts_the_largest_logit():
    logits = np.array([[1, 2, 0], [3, 2, 1], [0, 0, 1], [5, 6, 7]], np.float32)
    assert accuracy(logits, np.array([1, 0, 2, 0], np.int32)) == 0.75
