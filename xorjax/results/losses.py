"""What compression loses of the metric: reference less test, paired by seed, with the 95 % interval of the mean.

A compressed model and its reference (`pipeline.reference`) come from one dense model, so that what seeds differ in
cancels out of their difference. The interval is Student's t of these differences: mean ± t(.975, n - 1) x their sample
standard deviation / sqrt(n).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import polars as pl
from scipy.special import stdtrit

from xorjax.metric import Metric

ONE_SEED = "1 seed: tells nothing of a spread"
EQUAL = 1e-12
"""What the rounding of sums may leave of a difference or half width of 0."""


def t_quantile(degrees: int | float) -> float:
    """How many standard errors 95 % of Student's distribution lie within."""
    return float(stdtrit(degrees, 0.975))


def half_width(values: Sequence[float]) -> float | None:
    """Half the 95 % interval of the mean of independent values; None for a single one."""
    n = len(values)
    return t_quantile(n - 1) * stdev(values) / math.sqrt(n) if n > 1 else None


@dataclass(frozen=True)
class Loss:
    """The mean over seeds, in the metric, positive where the model is worse than its reference.

    `half_width` is None for one seed.
    """

    value: float
    half_width: float | None
    n_seeds: int

    def number(self, metric: Metric) -> str:
        """For a column whose heading has the unit: "0.061 ± 0.047"."""
        width = "" if self.half_width is None else f" ± {_number(self.half_width, metric, 2)}"
        return _number(self.value, metric, 4) + width

    def text(self, metric: Metric) -> str:
        """For a sentence: "0.061 ± 0.047 pp (95 %, 9 seeds, paired by seed)"."""
        how = ONE_SEED if self.half_width is None else f"95 %, {self.n_seeds} seeds, paired by seed"
        return f"{self.number(metric)}{_unit(metric)} ({how})"


def loss_of(points: pl.DataFrame, metric: Metric) -> Loss:
    """The loss of the points of one setting, one a seed."""
    pairs = points.select("test_metric", "reference_metric").iter_rows()
    losses = [metric.loss(test, reference) for test, reference in pairs]
    return Loss(fmean(losses), half_width(losses), len(losses))


def heading(metric: Metric) -> str:
    """Of a column of losses."""
    return f"loss ({_unit(metric).strip()})" if _unit(metric) else "loss"


def _number(value: float, metric: Metric, digits: int) -> str:
    return f"{100 * value:.3f}" if metric.unit == "%" else f"{value:.{digits}g}"


def _unit(metric: Metric) -> str:
    unit = "pp" if metric.unit == "%" else metric.unit
    return f" {unit}" if unit else ""
