"""What a task is: batches, a loss, a metric, and what its inputs become on the device. One a file, in one registry.

To add one, write a module in this package: a frozen dataclass whose fields are its settings (`xorjax.settings`), under
`@TASKS.register`. What runs inside jit takes arrays and returns arrays; a task is hashable, so that it can be
a static argument.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Shaped

from xorjax.data.batches import Batch, Dataset, Split
from xorjax.data.config import DataConfig
from xorjax.metric import Metric
from xorjax.registry import Registry

if TYPE_CHECKING:
    from jaxtyping import Array
else:
    # A wrong setting is refused before jax is imported, which takes seconds: tasks are looked up for their settings.
    Array = Any

__all__ = ["TASKS", "Array", "Batch", "Dataset", "Split", "Task", "digest"]


@runtime_checkable
class Task(Protocol):
    """What is learned, with its settings: a frozen dataclass, hashable, equal if it says the same."""

    id: ClassVar[str]
    metric: ClassVar[Metric]
    datasets: ClassVar[Mapping[str, Mapping[str, Any]]]
    """The data sets by name, with the sizes of their splits, "n_train", "n_validation" and "n_test", and whatever else
    models are made with: "n_classes", say, "vocabulary", or "mean" and "std" of an image's channels."""

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


def digest(
    task: Task, outputs: Float[Array, "batch ..."], targets: Shaped[Array, "batch ..."]
) -> Float[Array, "batch ..."]:
    """What is kept of the outputs of a whole split, and given to `measure` and `count_differing`.

    All, or what a task's own `digest` makes of them inside jit, where they are too many.
    """
    own = getattr(task, "digest", None)
    return outputs if own is None else own(outputs, targets)


TASKS: Registry[type[Any]] = Registry("xorjax.tasks", "task")
"""All tasks by id."""
