"""Images: the loss and the metric by their definition, augmentation a pure function of where training is."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.data import Split, batches
from xorjax.tasks.images import ImagesTask, moved
from xorjax.tasks.task import TASKS, Task

PLAIN, SHIFTED = ImagesTask(), ImagesTask(augment="shift", max_shift=3)
FLIPPED = ImagesTask(augment="shift_flip", max_shift=1)


def split(n=20, shape=(6, 5, 2), seed=0):
    rng = np.random.default_rng(seed)
    return Split(rng.integers(1, 256, (n, *shape), dtype=np.uint8), np.arange(n, dtype=np.int32))


def test_it_is_registered_and_complete():
    assert TASKS["images"] is ImagesTask
    assert isinstance(PLAIN, Task)
    assert {PLAIN, ImagesTask(), SHIFTED} == {PLAIN, SHIFTED}
    assert ImagesTask.datasets["mnist"] == {
        "n_train": 55_000,
        "n_validation": 5_000,
        "n_test": 10_000,
        "n_classes": 10,
        "mean": (0.0,),
        "std": (1.0,),
    }


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_the_loss_is_cross_entropy(smoothing):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 10)), rng.integers(0, 10, 6)
    target = (1 - smoothing) * np.eye(10)[labels] + smoothing / 10
    losses = PLAIN.losses(jnp.asarray(logits, jnp.float32), jnp.asarray(labels, jnp.int32), smoothing)
    np.testing.assert_allclose(losses, -(target * log_softmax(logits)).sum(axis=1), rtol=1e-5)


def test_images_are_scaled():
    images = jnp.array([[0, 51, 255]], jnp.uint8)
    np.testing.assert_allclose(PLAIN.transform(images), [[0, 0.2, 1]], rtol=1e-6)


def test_the_metric_counts_the_largest_logits_of_valid_examples():
    logits = np.array([[1, 2, 0], [3, 2, 1], [0, 0, 1], [5, 6, 7]], np.float32)
    sums = PLAIN.measure(
        *map(jnp.asarray, (logits, np.array([1, 0, 1, 2], np.int32), np.float32([1, 1, 1, 0])))
    )
    assert {name: float(value) for name, value in sums.items()} == {"correct": 2, "n": 3}
    assert PLAIN.score({"correct": 2.0, "n": 3.0}) == 2 / 3
    assert PLAIN.count_differing(logits, logits[[0, 2, 1, 3]]) == 2


def test_without_augmentation_batches_are_those_of_memory():
    for one, other in zip(
        PLAIN.train_batches(split(), 6, 3, 2), batches.train_batches(split(), 6, 3, 2), strict=True
    ):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not PLAIN.augments
    assert SHIFTED.augments


@pytest.mark.parametrize("task", [SHIFTED, FLIPPED])
@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 9), first_step=st.integers(0, 3))
def test_augmented_batches_continue_from_any_position(task, seed, epoch, first_step):
    whole = list(task.train_batches(split(), 6, seed, epoch))
    rest = list(task.train_batches(split(), 6, seed, epoch, first_step))
    assert len(whole) == 3
    assert len(rest) == 3 - first_step
    for one, other in zip(whole[first_step:], rest, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    order = batches.permutation(seed, epoch, 20)
    assert np.concatenate([batch.targets for batch in whole]).tolist() == order[:18].tolist()


def test_epochs_and_steps_are_augmented_apart():
    same = Split(np.repeat(split(1).inputs, 64, axis=0), np.zeros(64, np.int32))
    found = [
        batch.inputs for epoch in (0, 1) for batch in SHIFTED.train_batches(same, 32, seed=0, epoch=epoch)
    ]
    assert all(not np.array_equal(a, b) for i, a in enumerate(found) for b in found[:i])
    # All shifts of up to 3 pixels down and right are likely, and no other.
    assert len({image.tobytes() for batch in found for image in batch}) > 30


@given(seed=st.integers(0, 2**32 - 1))
def test_moved_images_against_a_loop(seed):
    rng = np.random.default_rng(seed)
    images, offsets, flips = split(4).inputs, rng.integers(-7, 8, (4, 2)), rng.random(4) < 0.5
    expected = np.zeros_like(images)
    for image, (down, right), flip, out in zip(images, offsets, flips, expected, strict=True):
        for row in range(6):
            for column in range(5):
                if 0 <= row + down < 6 and 0 <= column + right < 5:
                    out[row + down, 4 - column - right if flip else column + right] = image[row, column]
    assert np.array_equal(moved(images, offsets, flips), expected)


def test_evaluation_is_never_augmented():
    (batch,) = FLIPPED.eval_batches(split(), 20)
    assert np.array_equal(batch.inputs, split().inputs)
