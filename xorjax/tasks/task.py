"""What a task is: batches, a loss, a metric, and what its inputs become on the device. One a file, in one registry.

To add one, write a module in this package: a frozen dataclass whose fields are its settings (`xorjax.settings`), under
`@TASKS.register`. What runs inside jit takes arrays and returns arrays; a task is hashable, so that it can be
a static argument.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Float32, Shaped

from xorjax.data.config import DataConfig
from xorjax.metric import Metric
from xorjax.registry import Registry


class Split(NamedTuple):
    """Examples in memory, in any form that their task batches: images or features with labels, sequences of tokens."""

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


@runtime_checkable
class Task(Protocol):
    """What is learned, with its settings: a frozen dataclass, hashable, equal if it says the same."""

    id: ClassVar[str]
    metric: ClassVar[Metric]
    datasets: ClassVar[Mapping[str, Mapping[str, int]]]
    """The data sets by name, with the sizes of their splits: "n_train", "n_validation", "n_test"."""

    @property
    def augments(self) -> bool:
        """Whether training batches differ from epoch to epoch in more than their order; features are then not kept."""
        ...

    def load(self, data: DataConfig) -> Dataset:
        """The splits of `data.name`.

        Raises:
            DataError: the data set is missing, damaged or not the canonical one.
        """
        ...

    def steps_per_epoch(self, split: Split, batch_size: int) -> int: ...

    def train_batches(
        self, split: Split, batch_size: int, seed: int, epoch: int, first_step: int = 0
    ) -> Iterator[Batch]:
        """The batches of epoch number `epoch` (from 0) from step `first_step` on, augmented.

        A pure function of its arguments, so that (epoch, step) is a position in training to resume from.
        """
        ...

    def eval_batches(self, split: Split, batch_size: int) -> Iterator[Batch]:
        """All examples in order, each batch of one static shape."""
        ...

    def transform(self, inputs: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch ..."]:
        """What the model takes, inside jit: uint8 images become floats in [0, 1]."""
        ...

    def losses(
        self, outputs: Float[Array, "batch ..."], targets: Shaped[Array, "batch ..."], smoothing: float
    ) -> Float[Array, " batch"]:
        """The loss of each example, labels smoothed towards uniform by `smoothing`."""
        ...

    def measure(
        self,
        outputs: Float[Array, "batch ..."],
        targets: Shaped[Array, "batch ..."],
        valid: Float[Array, " batch"],
    ) -> dict[str, Float[Array, ""]]:
        """Sums over the valid examples of a batch from which `score` makes the metric."""
        ...

    def score(self, sums: Mapping[str, float]) -> float:
        """The metric from the sums over all batches of a split."""
        ...

    def count_differing(self, outputs: np.ndarray, others: np.ndarray) -> int:
        """How many predictions of two models differ; for the check that a file predicts what was quantized."""
        ...


TASKS: Registry[type[Any]] = Registry("xorjax.tasks", "task")
"""All tasks by id."""
