"""A task and a model as another project would add them: one file each, here together.

The next character of a text; judged by perplexity, of which less is better.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from xorjax.data import Batch, Dataset, Split, eval_batches, steps_per_epoch, train_batches
from xorjax.metric import Metric
from xorjax.settings import Range, setting

TEXT = "the quick brown fox jumps over the lazy dog and runs away from the quick brown dog. " * 40
ALPHABET = sorted(set(TEXT))


@dataclass(frozen=True)
class NextCharacterTask:
    id: ClassVar[str] = "next_character"
    metric: ClassVar[Metric] = Metric("perplexity", "", higher_is_better=False, tolerance=0.05)
    datasets: ClassVar[Mapping[str, Mapping[str, int]]] = {
        "pangram": {"n_train": 100, "n_validation": 20, "n_test": 20, "vocabulary": len(ALPHABET)}
    }

    length: int = setting(16, Range(1), "Characters of a sequence.", added=True)

    augments: ClassVar[bool] = False

    def load(self, data) -> Dataset:
        tokens = np.array([ALPHABET.index(character) for character in TEXT], np.int32)
        n = (len(tokens) - 1) // self.length
        inputs, targets = (part[: n * self.length].reshape(n, -1) for part in (tokens[:-1], tokens[1:]))
        cuts = [slice(0, 100), slice(100, 120), slice(120, 140)]
        return Dataset(*(Split(inputs[cut], targets[cut]) for cut in cuts))

    def steps_per_epoch(self, split: Split, batch_size: int) -> int:
        return steps_per_epoch(split.size, batch_size)

    def train_batches(
        self, split: Split, batch_size: int, seed: int, epoch: int, first_step: int = 0
    ) -> Iterator[Batch]:
        return train_batches(split, batch_size, seed, epoch, first_step)

    def eval_batches(self, split: Split, batch_size: int) -> Iterator[Batch]:
        return eval_batches(split, batch_size)

    def transform(self, inputs):
        return inputs

    def losses(self, outputs, targets, smoothing):
        log_probabilities = jax.nn.log_softmax(outputs)
        likelihood = jnp.take_along_axis(log_probabilities, targets[..., None], axis=-1)[..., 0]
        return (-(1.0 - smoothing) * likelihood - smoothing * log_probabilities.mean(axis=-1)).mean(axis=-1)

    def measure(self, outputs, targets, valid):
        return {"loss": jnp.sum(valid * self.losses(outputs, targets, 0.0)), "n": jnp.sum(valid)}

    def score(self, sums: Mapping[str, float]) -> float:
        return float(np.exp(sums["loss"] / sums["n"]))

    def count_differing(self, outputs, others) -> int:
        return int((outputs.argmax(axis=-1) != others.argmax(axis=-1)).sum())


class CharacterLSTM(nnx.Module):
    id, task = "character_lstm", "next_character"
    layers = (*(f"lstm/cell/{side}{gate}" for side in "ih" for gate in "figo"), "head")

    def __init__(self, *, rngs: nnx.Rngs, vocabulary: int):
        self.embedding = nnx.Embed(vocabulary, 12, rngs=rngs)
        self.lstm = nnx.RNN(nnx.OptimizedLSTMCell(12, 24, rngs=rngs), rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.head = nnx.Linear(24, vocabulary, rngs=rngs)

    def __call__(self, x):
        return self.head(self.dropout(self.lstm(self.embedding(x))))
