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

    @property
    def scale(self) -> float:
        """What a value is multiplied by for people: 100 for a percentage."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def label(self) -> str:
        """Of an axis or a column: "accuracy (%)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def plural(self) -> str:
        """Several values: "accuracies"."""
        return f"{self.name[:-1]}ies" if self.name.endswith("y") else f"{self.name}s"

    @property
    def number_format(self) -> str:
        """Of a value for people, without its unit."""
        return ".2f" if self.unit == "%" else ".4g"

    def number(self, value: float, spread: float | None = None) -> str:
        """For a column whose heading has the unit: "99.35 (sd 0.02)" or "89.6"; `spread` is a deviation."""
        said = f"{self.scale * value:{self.number_format}}"
        if spread is None:
            return said
        return f"{said} (sd {self.scale * spread:{'.2f' if self.unit == '%' else '.2g'}})"

    def text(self, value: float) -> str:
        """For people: "99.35 %" or "89.6"."""
        return f"{self.number(value)} {self.unit}".strip()

    def difference(self, value: float) -> str:
        """Of two values, for people: "0.15 pp" of percentages, else a number with the unit."""
        return f"{100 * value:.2f} pp" if self.unit == "%" else f"{value:.4g} {self.unit}".strip()


ACCURACY = Metric("accuracy", "%", higher_is_better=True, tolerance=0.0015)
