"""Images of one class each: cross-entropy, and how many are recognized."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from xorjax.data import DATASETS, batches, load_data
from xorjax.data.batches import Batch, Dataset, Split
from xorjax.data.config import DataConfig
from xorjax.metric import ACCURACY, Metric
from xorjax.settings import Range, setting
from xorjax.tasks.task import TASKS, Array

AUGMENTATIONS = ("none", "shift", "shift_flip")


@TASKS.register
@dataclass(frozen=True)
class ImagesTask:
    """uint8 images (height, width, channels) and labels; judged by accuracy."""

    id: ClassVar[str] = "images"
    metric: ClassVar[Metric] = ACCURACY
    datasets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {f"n_{split}": n for split, n in spec.sizes.items()}
        | {"n_classes": spec.n_classes, "mean": spec.mean, "std": spec.std}
        for name, spec in DATASETS.items()
    }

    augment: str = setting(
        "none",
        AUGMENTATIONS,
        "What training images undergo: nothing, shifts by up to `max_shift` pixels, or these and mirroring.",
        added=True,
    )
    max_shift: int = setting(
        2,
        Range(1, 16),
        "The largest shift in pixels, in both directions; what moves in is black.",
        added=True,
        applies=lambda task: task.augments,
    )

    @property
    def augments(self) -> bool:
        return self.augment != "none"

    def load(self, data: DataConfig) -> Dataset:
        return load_data(data)

    def steps_per_epoch(self, split: Split, batch_size: int) -> int:
        return batches.steps_per_epoch(split.size, batch_size)

    def train_batches(
        self, split: Split, batch_size: int, seed: int, epoch: int, first_step: int = 0
    ) -> Iterator[Batch]:
        plain = batches.train_batches(split, batch_size, seed, epoch, first_step)
        if not self.augments:
            yield from plain
            return
        for step, batch in enumerate(plain, first_step):
            yield batch._replace(inputs=self._augmented(batch.inputs, seed, epoch, step))

    def eval_batches(self, split: Split, batch_size: int) -> Iterator[Batch]:
        return batches.eval_batches(split, batch_size)

    def transform(self, inputs: Shaped[Array, "batch ..."]) -> Float32[Array, "batch ..."]:
        return inputs.astype(np.float32) / 255.0

    def losses(
        self, outputs: Float[Array, "batch classes"], targets: Int[Array, " batch"], smoothing: float
    ) -> Float[Array, " batch"]:
        """Cross-entropy."""
        import jax
        import jax.numpy as jnp

        log_probabilities = jax.nn.log_softmax(outputs)
        likelihood = jnp.take_along_axis(log_probabilities, targets[:, None], axis=1)[:, 0]
        return -(1.0 - smoothing) * likelihood - smoothing * log_probabilities.mean(axis=1)

    def measure(
        self,
        outputs: Float[Array, "batch classes"],
        targets: Int[Array, " batch"],
        valid: Float[Array, " batch"],
    ) -> dict[str, Float[Array, ""]]:
        """How many have their largest logit at their label."""
        import jax.numpy as jnp

        correct = jnp.sum(jnp.where(outputs.argmax(axis=1) == targets, valid, 0.0))
        return {"correct": correct, "n": jnp.sum(valid)}

    def score(self, sums: Mapping[str, float]) -> float:
        return sums["correct"] / sums["n"]

    def count_differing(self, outputs: np.ndarray, others: np.ndarray) -> int:
        return int((outputs.argmax(axis=1) != others.argmax(axis=1)).sum())

    def _augmented(
        self, images: Shaped[np.ndarray, "batch height width channels"], seed: int, epoch: int, step: int
    ) -> Shaped[np.ndarray, "batch height width channels"]:
        # step + 1: an entropy that ends in 0 is the one without it, which is the epoch's order.
        random = np.random.default_rng([seed, epoch, step + 1])
        offsets = random.integers(-self.max_shift, self.max_shift + 1, (len(images), 2))
        flips = random.random(len(images)) < 0.5
        return moved(images, offsets, flips & (self.augment == "shift_flip"))


def moved(
    images: Shaped[np.ndarray, "batch height width channels"],
    offsets: Int[np.ndarray, "batch 2"],
    flips: Bool[np.ndarray, " batch"],
) -> Shaped[np.ndarray, "batch height width channels"]:
    """Each image shifted by its offsets (down, right), zeros moving in, and mirrored left to right if it flips."""
    n, height, width, _ = images.shape
    rows = np.arange(height) - offsets[:, :1]
    columns = np.where(flips[:, None], np.arange(width)[::-1], np.arange(width)) - offsets[:, 1:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    found = images[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return np.where(inside[..., None], found, np.zeros((), images.dtype))
