"""The prune rates that pruning passes: how a schedule spaces them, and the trajectory of levels up to a point's own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from xorjax.config.schema import PruneConfig


@dataclass(frozen=True)
class Schedule(ABC):
    """`levels` prune rates from `first` to `last`, spaced as the class says."""

    first: float
    last: float
    levels: int

    def rates(self) -> tuple[float, ...]:
        """`levels` prune rates, ascending; a single level is `last`."""
        steps = self.levels - 1
        return tuple(self.at(i / steps) for i in range(self.levels)) if steps else (self.at(1.0),)

    @abstractmethod
    def at(self, t: float) -> float:
        """The prune rate at `t` of the way, 0 to 1."""


class Linear(Schedule):
    """Every level removes the same share of all weights."""

    def at(self, t: float) -> float:
        return self.first + (self.last - self.first) * t


class Geometric(Schedule):
    """Every level keeps the same share of what the level before it kept (Frankle & Carbin 2019)."""

    def at(self, t: float) -> float:
        return 1 - (1 - self.first) ** (1 - t) * (1 - self.last) ** t


class Cubic(Schedule):
    """Fast at first, slow near the end: `last + (first - last) (1 - t)^3` (Zhu & Gupta 2017)."""

    def at(self, t: float) -> float:
        return self.last + (self.first - self.last) * (1 - t) ** 3


SCHEDULES: dict[str, type[Schedule]] = {"linear": Linear, "geometric": Geometric, "cubic": Cubic}


def trajectory(config: PruneConfig) -> tuple[float, ...]:
    """Prune rates of the levels that lead to `config.rate`, ascending, ending in it; empty for rate 0.

    Points that differ only in their rate share every level below the smaller rate, and share one
    trajectory if each rate is a level of the schedule or of `through`.
    """
    if config.rate == 0:
        return ()
    spec = config.schedule
    schedule = SCHEDULES[spec.name](spec.first, spec.last, spec.levels)
    # Rounded so that 1 - 0.1 and 0.9 are one level, not two.
    visited = {round(rate, 9) for rate in (*schedule.rates(), *config.through)}
    rate = round(config.rate, 9)
    return (*sorted(r for r in visited if 0 < r < rate), rate)
