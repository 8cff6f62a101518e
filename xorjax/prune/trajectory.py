"""The prune rates that pruning passes: how a schedule spaces them, and the trajectory of levels up to a point's own."""

from collections.abc import Callable

from xorjax.config.schema import PruneConfig, ScheduleConfig

SPACINGS: dict[str, Callable[[float, float, float], float]] = {
    # Every level removes the same share of all weights.
    "linear": lambda first, last, t: first + (last - first) * t,
    # Every level keeps the same share of what the level before it kept (Frankle & Carbin 2019).
    "geometric": lambda first, last, t: 1 - (1 - first) ** (1 - t) * (1 - last) ** t,
    # Fast at first, slow near the end (Zhu & Gupta 2017).
    "cubic": lambda first, last, t: last + (first - last) * (1 - t) ** 3,
}
"""The prune rate at `t` of the way, 0 to 1, from `first` to `last`."""


def rates(schedule: ScheduleConfig) -> tuple[float, ...]:
    """The schedule's prune rates, ascending; a single level is `last`."""
    spacing, steps = SPACINGS[schedule.name], schedule.levels - 1
    ways = [i / steps for i in range(schedule.levels)] if steps else [1.0]
    return tuple(spacing(schedule.first, schedule.last, t) for t in ways)


def trajectory(config: PruneConfig) -> tuple[float, ...]:
    """Prune rates of the levels that lead to `config.rate`, ascending, ending in it; empty for rate 0.

    Points that differ only in their rate share every level below the smaller rate, and share one
    trajectory if each rate is a level of the schedule or of `through`.
    """
    if config.rate == 0:
        return ()
    # Rounded so that 1 - 0.1 and 0.9 are one level, not two.
    visited = {round(rate, 9) for rate in (*rates(config.schedule), *config.through)}
    rate = round(config.rate, 9)
    return (*sorted(r for r in visited if 0 < r < rate), rate)
