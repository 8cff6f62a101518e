"""What a task is judged by: a number with a name, a unit and a direction."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One number for a whole split, such as the accuracy of a classifier or the perplexity of a language model.

    Attributes:
        name: as in the columns of results and the lines of metrics, "accuracy".
        unit: "%" for a fraction that people read in percent, "" for a plain number.
        higher_is_better: its direction.
        tolerance: the loss that reports take to be none, in the metric itself (.0015 is .15 percentage points).
    """

    name: str
    unit: str
    higher_is_better: bool
    tolerance: float

    def is_better(self, value: float, other: float) -> bool:
        return value > other if self.higher_is_better else value < other

    @property
    def worst(self) -> float:
        """What every measured value is better than."""
        return float("-inf") if self.higher_is_better else float("inf")

    def loss(self, value: float, reference: float) -> float:
        """How much worse than `reference`: positive is worse, in either direction."""
        return reference - value if self.higher_is_better else value - reference

    def text(self, value: float) -> str:
        """For people: "99.35 %" or "89.6"."""
        return (
            f"{100 * value:.2f} %"
            if self.unit == "%"
            else f"{value:.4g}{f' {self.unit}' if self.unit else ''}"
        )
