"""Batches from memory. The order of an epoch is a pure function of (seed, epoch), so a position in training is
(epoch, step) and nothing else needs to be remembered to resume it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, Int32, Shaped


class Split(NamedTuple):
    """Examples in memory: uint8 images, or float32 features computed from them, and their labels."""

    inputs: Shaped[np.ndarray, "n ..."]
    labels: Int32[np.ndarray, " n"]

    @property
    def size(self) -> int:
        return len(self.labels)


class Batch(NamedTuple):
    """`valid` is 1 for an example and 0 for padding."""

    inputs: Shaped[np.ndarray, "batch ..."]
    labels: Int32[np.ndarray, " batch"]
    valid: Float32[np.ndarray, " batch"]


def permutation(seed: int, epoch: int, n: int) -> Int[np.ndarray, " n"]:
    """The order in which epoch number `epoch` (from 0) visits `n` examples."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Whole batches in `n` examples: training drops the ragged tail, another one in each epoch.

    Raises:
        ValueError: `n` examples do not fill one batch.
    """
    if n < batch_size:
        raise ValueError(f"batch_size {batch_size} is larger than the training split of {n} examples.")
    return n // batch_size


def train_batches(
    split: Split, batch_size: int, seed: int, epoch: int, first_step: int = 0
) -> Iterator[Batch]:
    """The batches of epoch number `epoch` (from 0), from step `first_step` on."""
    order = permutation(seed, epoch, split.size)
    valid = np.ones(batch_size, np.float32)
    for step in range(first_step, steps_per_epoch(split.size, batch_size)):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        yield Batch(split.inputs[chosen], split.labels[chosen], valid)


def eval_batches(split: Split, batch_size: int) -> Iterator[Batch]:
    """All examples in order; the last batch is padded with zeros, so every batch has one static shape."""
    for first in range(0, split.size, batch_size):
        inputs = split.inputs[first : first + batch_size]
        labels = split.labels[first : first + batch_size]
        n = len(labels)
        padding = batch_size - n
        yield Batch(
            np.pad(inputs, [(0, padding)] + [(0, 0)] * (inputs.ndim - 1)) if padding else inputs,
            np.pad(labels, (0, padding)) if padding else labels,
            (np.arange(batch_size) < n).astype(np.float32),
        )
