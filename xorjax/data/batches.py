"""Batches from memory. The order of an epoch is a pure function of (seed, epoch), so a position in training is
(epoch, step) and nothing else needs to be remembered to resume it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, Shaped


class Split(NamedTuple):
    """Examples in memory: images, sequences of tokens, or features computed from them, and what is to be learned."""

    inputs: Shaped[np.ndarray, "n ..."]
    targets: Shaped[np.ndarray, "n ..."]

    @property
    def size(self) -> int:
        return len(self.targets)


class Batch(NamedTuple):
    """`valid` is 1 for an example and 0 for padding."""

    inputs: Shaped[np.ndarray, "batch ..."]
    targets: Shaped[np.ndarray, "batch ..."]
    valid: Float32[np.ndarray, " batch"]


@dataclass(frozen=True)
class Dataset:
    """The three splits; whatever is chosen is chosen on `validation`."""

    train: Split
    validation: Split
    test: Split


def permutation(seed: int, epoch: int, n: int) -> Int[np.ndarray, " n"]:
    """The order in which epoch number `epoch` (from 0) visits `n` examples."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Whole batches in `n` examples: training drops the ragged tail, another one in each epoch.

    Raises:
        ValueError: `n` examples do not fill one batch.
    """
    if n < batch_size:
        raise ValueError(f"a batch of {batch_size} is larger than the training split of {n} examples")
    return n // batch_size


def train_batches(
    split: Split, batch_size: int, seed: int, epoch: int, first_step: int = 0
) -> Iterator[Batch]:
    """The batches of epoch number `epoch` (from 0), from step `first_step` on."""
    order = permutation(seed, epoch, split.size)
    valid = np.ones(batch_size, np.float32)
    for step in range(first_step, steps_per_epoch(split.size, batch_size)):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        yield Batch(split.inputs[chosen], split.targets[chosen], valid)


def eval_batches(split: Split, batch_size: int) -> Iterator[Batch]:
    """All examples in order; the last batch is padded with zeros, so every batch has one static shape."""
    for first in range(0, split.size, batch_size):
        inputs, targets = (part[first : first + batch_size] for part in split)
        valid = (np.arange(batch_size) < len(targets)).astype(np.float32)
        yield Batch(_padded(inputs, batch_size), _padded(targets, batch_size), valid)


def _padded(part: Shaped[np.ndarray, "n ..."], size: int) -> Shaped[np.ndarray, "size ..."]:
    padding = size - len(part)
    return np.pad(part, [(0, padding)] + [(0, 0)] * (part.ndim - 1)) if padding else part
