"""The rates of a pruning trajectory: the schedule's, those it must pass, the one where a point leaves it."""

from xorjax.config.schema import PruneConfig
from xorjax.prune.schedules import SCHEDULES


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
