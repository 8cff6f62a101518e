"""Predictions do not depend on the batch size, and features carry a frozen prefix exactly."""

import jax.numpy as jnp
import numpy as np
import pytest

from xorjax.codec.trained import TrainedCode
from xorjax.data import Split
from xorjax.models import create_model, merge
from xorjax.tasks.images import ImagesTask
from xorjax.train import features, predict, score
from xorjax.weights import CodedWeight

TASK = ImagesTask()
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return Split(
        rng.integers(0, 256, (11, 28, 28, 1), dtype=np.uint8), rng.integers(0, 10, 11).astype(np.int32)
    )


def test_predict_is_the_model(images):
    network, params, state = create_model("lenet5", 0)
    model = merge(network, params, state)
    expected = model(jnp.asarray(images.inputs / 255.0, jnp.float32))
    for batch_size in (4, 11, 100):
        logits = predict(TASK, model, images, batch_size=batch_size)
        assert (logits.shape, logits.dtype) == ((11, 10), np.float32)
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_coded_weights_can_be_decoded_before_every_product(images):
    network, params, state = create_model("lenet300", 0)
    code = TrainedCode(4, 32)
    planes = RNG.random((1, 784, 300)) < 0.5
    planes = code.project(np.where(planes, 1.0, -1.0)[0])[None]
    weight = CodedWeight.of(code.encode(planes, None), None, np.full((1, 1, 300), 0.1, np.float32))
    assert weight.planes.decoder == "trained"
    coded = merge(network, params | {"fc1/kernel": weight}, state)
    plain = merge(network, params | {"fc1/kernel": weight.to_array()}, state)
    expected = predict(TASK, plain, images)
    np.testing.assert_array_equal(predict(TASK, coded, images, decode=True), expected)
    # Sums of look-ups are rounded in another order.
    by_look_ups = predict(TASK, coded, images)
    assert not np.array_equal(by_look_ups, expected)
    np.testing.assert_allclose(by_look_ups, expected, rtol=1e-4, atol=1e-4)


def test_features_are_the_inputs_of_the_rest(images):
    network, params, state = create_model("lenet5", 0)
    model = merge(network, params, state)
    of_convolutions = features(TASK, network, params, state, images, stop=2, batch_size=4)
    assert of_convolutions.inputs.shape == (11, 800)
    assert of_convolutions.inputs.dtype == np.float32
    assert np.array_equal(of_convolutions.targets, images.targets)
    np.testing.assert_allclose(
        predict(TASK, model, of_convolutions, start=2), predict(TASK, model, images), atol=1e-5
    )
    assert np.array_equal(predict(TASK, model, images, 0, 2, 4), of_convolutions.inputs)


@pytest.mark.parametrize("n", [1, 4, 2503])
def test_the_score_is_that_of_the_whole_split(n):
    rng = np.random.default_rng(n)
    logits, labels = rng.normal(size=(n, 10)).astype(np.float32), rng.integers(0, 10, n).astype(np.int32)
    split = Split(np.zeros((n, 0), np.uint8), labels)
    assert score(TASK, logits, split) == np.mean(logits.argmax(axis=1) == labels)
