"""What a document says of a table: means over seeds, their spread, losses with intervals, and how they are written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import isnan, nan, sqrt
from statistics import fmean, stdev

import polars as pl
from scipy.stats import t

from xorjax.metric import Metric
from xorjax.tasks.task import TASKS

from .measured import SETTINGS, Measured

RATES = (0.9, 0.95, 0.98)


@dataclass(frozen=True)
class Rows:
    """Rows of a table; `rows(prune_rate=0.9, n_in=20)` are those with these settings."""

    frame: pl.DataFrame
    command: str = ""

    def __call__(self, **settings: object) -> "Rows":
        """Raises `LookupError` if there are none."""
        found = self.frame
        for column, value in settings.items():
            found = found.filter(pl.col(column).is_null() if value is None else pl.col(column) == value)
        if found.is_empty():
            raise LookupError(f"no row with {settings}")
        return replace(self, frame=found)

    @property
    def coded(self) -> "Rows":
        """Without the baselines."""
        return self(baseline=False)

    def rival(self, code: str, mask_codec: str | None) -> "Rows":
        """Those of a baseline."""
        return self(baseline=True, code=code, mask_codec=mask_codec)

    def by_seed(self, column: str) -> list[float]:
        """A value a seed, that of several layers weighted by their weights."""
        rows = self.frame.drop_nulls(column)
        if rows.is_empty():
            raise LookupError(f"no row has {column}")
        weighted = (pl.col(column) * pl.col.n_weights).sum() / pl.col.n_weights.sum()
        return rows.group_by("seed").agg(weighted).sort("seed")[column].to_list()

    def mean(self, column: str) -> float:
        return fmean(self.by_seed(column))

    def sd(self, column: str) -> float:
        """The sample standard deviation over seeds."""
        return stdev(self.by_seed(column))

    @property
    def metric(self) -> Metric:
        """What the networks of these rows are judged by."""
        (metric,) = {
            task.metric for data in self.values("dataset") for task in TASKS.values() if data in task.datasets
        }
        return metric

    def losses(self, than: str = "reference") -> list[float]:
        """A seed's loss against its reference or its dense model: percentage points, or perplexity."""
        metric, compared = self.metric, (self.by_seed(name) for name in ("test_metric", f"{than}_metric"))
        return [metric.scale * metric.loss(tested, other) for tested, other in zip(*compared, strict=True)]

    def loss(self, than: str = "reference") -> float:
        return fmean(self.losses(than))

    def interval(self) -> tuple[float, float]:
        """The mean loss against the reference, and half its 95 % interval by Student's t; NaN for one seed."""
        return _interval(self.losses())

    def tested(self) -> tuple[float, float]:
        """The mean test metric, accuracies in percent, and half its 95 % interval; NaN for one seed."""
        return _interval([self.metric.scale * value for value in self.by_seed("test_metric")])

    def less_than(self, other: "Rows") -> tuple[float, float]:
        """How much less is lost than by other rows of the same seeds, paired by seed."""
        return _interval([theirs - own for own, theirs in zip(self.losses(), other.losses(), strict=True)])

    def one(self, column: str, **settings: object):
        """The cell of the single row with these settings."""
        (value,) = self(**settings).frame[column].to_list()
        return value

    def settings(self, *columns: str) -> list[tuple]:
        """The different values of these columns together, ascending."""
        return self.frame.select(columns).unique().sort(columns).rows()

    def values(self, column: str) -> list:
        """The different values of a column, ascending."""
        return [value for (value,) in self.settings(column) if value is not None]

    def least(self, column: str):
        return self.frame[column].min()

    def most(self, column: str):
        return self.frame[column].max()

    def column(self, name: str) -> list:
        """In the order of the table."""
        return self.frame[name].to_list()

    def dicts(self) -> list[dict]:
        """The rows."""
        return self.frame.to_dicts()

    def uncoded_bits(self) -> float:
        """Of a file with one coded layer, the float32 of what is not coded, in bits a parameter."""
        return 32 * (1 - self._coded_share())

    def header_bits(self) -> float:
        """What is left of such a file, in bits a parameter."""
        coded = self._coded_share() * self.mean("bits_per_weight")
        return self.mean("file_bits_per_parameter") - self.uncoded_bits() - coded

    def _coded_share(self) -> float:
        n_parameters = 8 * self.mean("file_bytes") / self.mean("file_bits_per_parameter")
        return self.mean("n_weights") / n_parameters

    @property
    def n_points(self) -> int:
        """Points of a sweep: rows that are no baseline, several layers together."""
        keys = [name for name in SETTINGS if name in self.frame.columns and name != "layer"]
        return self.frame.filter(~pl.col.baseline).select(keys).unique().height


def _interval(values: Sequence[float]) -> tuple[float, float]:
    n = len(values)
    return fmean(values), float(t.ppf(0.975, n - 1)) * stdev(values) / sqrt(n) if n > 1 else nan


@cache
def table(name: str) -> Rows:
    measured = Measured.read(name)
    return Rows(measured.frame(), measured.origin["command"])


def number(value: float, digits: int = 0) -> str:
    """1,234.5 with one digit."""
    return f"{value:,.{digits}f}"


def plus_minus(interval: tuple[float, float], digits: int = 3) -> str:
    return " ± ".join(f"{value:.{digits}f}" for value in interval if not isnan(value))


def cells(values: Iterable[float | str], digits: int = 4, between: str = " | ") -> str:
    """Cells of a Markdown table, or figures of one cell."""
    return between.join(value if isinstance(value, str) else number(value, digits) for value in values)


def means(rows: Rows, column: str) -> list[float]:
    """At all prune rates."""
    return [rows(prune_rate=rate).mean(column) for rate in RATES]


def across(rows: Rows, column: str, digits: int = 4, factor: float = 1) -> str:
    """The means at all prune rates, as cells."""
    return cells((factor * value for value in means(rows, column)), digits)


def pairs(rows: Rows, column: str, others: Rows, other: str, digits: int = 4) -> str:
    """Two means at all prune rates, as cells "a / b"."""
    both = zip(means(rows, column), means(others, other), strict=True)
    return cells(cells(pair, digits, " / ") for pair in both)


def intervals(rows: Rows) -> str:
    """The losses at all prune rates with their intervals, as cells."""
    return cells(plus_minus(rows(prune_rate=rate).interval()) for rate in RATES)


def deviations(rows: Rows) -> str:
    """Of the test metric in percent, as cells."""
    return cells((100 * rows(prune_rate=rate).sd("test_metric") for rate in RATES), 2)


def gaps(rows: Rows) -> str:
    """CSR with gaps of the width that is the smallest at each prune rate, as cells."""
    widths = [means(rows.rival("signs", f"csr{width}"), "bits_per_weight") for width in range(4, 9)]
    return cells(map(min, zip(*widths, strict=True)))


def above(rows: Rows, others: Rows, column: str) -> float:
    """By how many percent the mean is above another."""
    return 100 * (rows.mean(column) / others.mean(column) - 1)


def above_random(rows: Rows) -> float:
    """By how many percent value bits are above 1 - S at most, over all prune rates."""
    found = zip(means(rows, "value_bits"), RATES, strict=True)
    return 100 * (max(bits / (1 - rate) for bits, rate in found) - 1)
