"""The next word of a text: cross-entropy over the vocabulary, judged by perplexity per word.

A text is cut into streams, pieces of equal length that are read side by side, and these into windows: a batch is the
next window of each stream, so that what a model keeps (`models.registry.Memory`) is of the words before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from xorjax.data import batches
from xorjax.data.batches import Batch, Dataset, Split
from xorjax.data.config import DataConfig
from xorjax.data.text import TEXTS, load_text
from xorjax.metric import Metric
from xorjax.settings import Range, setting
from xorjax.tasks.task import TASKS, Array

STREAMS = 20
"""Into so many an evaluated text is cut: its perplexity depends on it, by so many beginnings without words before."""
NONE = -1
"""The target where a window goes on past the end of its stream."""
TIE = 1e-4
"""Two words whose log-probabilities differ by less may change places by rounding."""


class Windows(Split):
    """Window s of stream b at s * STREAMS + b."""

    @property
    def size(self) -> int:
        """Words."""
        return int(np.count_nonzero(self.targets != NONE))


@TASKS.register
@dataclass(frozen=True)
class LanguageTask:
    """Windows of words, each with the words that follow; judged by perplexity per word, those at line ends included."""

    id: ClassVar[str] = "language"
    # A hundredth of the perplexities that are usual here.
    metric: ClassVar[Metric] = Metric("perplexity", "", higher_is_better=False, tolerance=0.9)
    datasets: ClassVar[Mapping[str, Mapping[str, int]]] = {name: spec.sizes for name, spec in TEXTS.items()}

    length: int = setting(35, Range(1, 1000), "Words of a window, through which gradients are followed.")

    @property
    def augments(self) -> bool:
        return True

    def load(self, data: DataConfig) -> Dataset:
        """For training the text as it is, word by word; for evaluation its windows."""
        texts = {split: Split(words[:-1], words[1:]) for split, words in load_text(data).items()}
        return Dataset(
            texts["train"], windows(texts["validation"], self.length), windows(texts["test"], self.length)
        )

    def steps_per_epoch(self, split: Split, batch_size: int) -> int:
        """Raises `ValueError` if the text is shorter than one window of each stream."""
        if steps := split.size // (batch_size * self.length):
            return steps
        windows = f"{batch_size} windows of {self.length} words (task.length)"
        raise ValueError(f"{windows} are more than the training text's {split.size} words")

    def train_batches(
        self, split: Split, batch_size: int, seed: int, epoch: int, first_step: int = 0
    ) -> Iterator[Batch]:
        """The text from another word on in each epoch, its beginning after its end; the last words are left out."""
        steps, valid = self.steps_per_epoch(split, batch_size), np.ones(batch_size, np.float32)
        start = int(np.random.default_rng([seed, epoch]).integers(split.size))
        inputs, targets = (
            np.roll(part, -start)[: batch_size * steps * self.length].reshape(batch_size, steps, self.length)
            for part in split
        )
        for step in range(first_step, steps):
            yield Batch(inputs[:, step], targets[:, step], valid)

    def eval_batches(self, split: Split, batch_size: int) -> Iterator[Batch]:
        """A window of each stream, whatever `batch_size`. What is valid of an example is its share of words."""
        for batch in batches.eval_batches(Split(*split), STREAMS):
            yield batch._replace(valid=(batch.targets != NONE).mean(axis=1, dtype=np.float32))

    def transform(self, inputs: Int[Array, "batch length"]) -> Int[Array, "batch length"]:
        return inputs

    def losses(
        self,
        outputs: Float[Array, "batch length words"],
        targets: Int[Array, "batch length"],
        smoothing: float,
    ) -> Float[Array, " batch"]:
        """Cross-entropy of each window's words, their mean."""
        import jax
        import jax.numpy as jnp

        total = jax.nn.logsumexp(outputs, axis=2)
        losses = total - (1.0 - smoothing) * _chosen(outputs, targets)
        if smoothing:
            losses -= smoothing * outputs.mean(axis=2)
        counted = targets != NONE
        n = jnp.maximum(counted.sum(axis=1, dtype=losses.dtype), 1.0)
        return jnp.where(counted, losses, 0.0).sum(axis=1) / n

    def digest(
        self, outputs: Float[Array, "batch length words"], targets: Int[Array, "batch length"]
    ) -> Float[Array, "batch length 3"]:
        """The target's log-probability, the likeliest word, and by how much it is likelier than the next."""
        import jax
        import jax.numpy as jnp

        values, words = jax.lax.top_k(outputs, 2)
        likelihood = _chosen(outputs, targets) - jax.nn.logsumexp(outputs, axis=2)
        likeliest, lead = words[..., 0].astype(outputs.dtype), values[..., 0] - values[..., 1]
        return jnp.stack([likelihood, likeliest, lead], axis=2)

    def measure(
        self,
        outputs: Float[Array, "batch length 3"],
        targets: Int[Array, "batch length"],
        valid: Float[Array, " batch"],
    ) -> dict[str, Float[Array, ""]]:
        """Of digested outputs."""
        import jax.numpy as jnp

        counted = (targets != NONE) & (valid > 0)[:, None]
        loss = -jnp.sum(jnp.where(counted, outputs[..., 0], 0.0))
        return {"loss": loss, "n": jnp.sum(counted, dtype=loss.dtype)}

    def score(self, sums: Mapping[str, float]) -> float:
        return exp(sums["loss"] / sums["n"])

    def count_differing(self, outputs: np.ndarray, others: np.ndarray) -> int:
        """Of digested outputs; a tie is no difference."""
        clear = np.maximum(outputs[..., 2], others[..., 2]) > TIE
        return int(((outputs[..., 1] != others[..., 1]) & clear).sum())


def _chosen(
    outputs: Float[Array, "batch length words"], targets: Int[Array, "batch length"]
) -> Float[Array, "batch length"]:
    """The output for each target. By comparing: the gradient of a look-up is a scatter, which costs more on a CPU."""
    import jax.numpy as jnp

    words = jnp.arange(outputs.shape[2], dtype=targets.dtype)
    return jnp.where(words[None, None] == targets[..., None], outputs, 0.0).sum(axis=2)


def windows(text: Split, length: int) -> Windows:
    """The text as `STREAMS` streams in windows of `length` words, those past the ends of the streams `NONE`."""
    n = -(-text.size // STREAMS)
    steps = -(-n // length)
    return Windows(
        *(
            _cut(part, n, steps * length, fill)
            .reshape(STREAMS, steps, length)
            .swapaxes(0, 1)
            .reshape(-1, length)
            for part, fill in zip(text, (0, NONE), strict=True)
        )
    )


def _cut(
    part: Shaped[np.ndarray, " words"], n: int, padded: int, fill: int
) -> Shaped[np.ndarray, "streams padded"]:
    streams = np.full(STREAMS * n, fill, part.dtype)
    streams[: len(part)] = part
    return np.pad(streams.reshape(STREAMS, n), [(0, 0), (0, padded - n)], constant_values=fill)
