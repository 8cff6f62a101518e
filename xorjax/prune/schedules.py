"""Prune-rate schedules: the rates that the levels of iterative pruning pass, from `first` to `last`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Linear:
    """Every level removes the same share of all weights."""

    first: float
    last: float
    levels: int

    def rates(self) -> tuple[float, ...]:
        """`levels` prune rates, ascending; a single level is `last`."""
        return tuple(self.first + (self.last - self.first) * t for t in _steps(self.levels))


@dataclass(frozen=True)
class Geometric:
    """Every level keeps the same share of what the level before it kept (Frankle & Carbin 2019)."""

    first: float
    last: float
    levels: int

    def rates(self) -> tuple[float, ...]:
        """`levels` prune rates, ascending; a single level is `last`."""
        kept_first, kept_last = 1 - self.first, 1 - self.last
        return tuple(1 - kept_first ** (1 - t) * kept_last**t for t in _steps(self.levels))


@dataclass(frozen=True)
class Cubic:
    """Fast at first, slow near the end: `last + (first - last) (1 - t)^3` (Zhu & Gupta 2017)."""

    first: float
    last: float
    levels: int

    def rates(self) -> tuple[float, ...]:
        """`levels` prune rates, ascending; a single level is `last`."""
        return tuple(self.last + (self.first - self.last) * (1 - t) ** 3 for t in _steps(self.levels))


Schedule = Linear | Geometric | Cubic

SCHEDULES: dict[str, type[Schedule]] = {"linear": Linear, "geometric": Geometric, "cubic": Cubic}


def _steps(levels: int) -> tuple[float, ...]:
    """`levels` points from 0 to 1; a single one is 1."""
    if levels == 1:
        return (1.0,)
    return tuple(i / (levels - 1) for i in range(levels))
