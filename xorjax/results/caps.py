"""What a page draws of many: how much of each thing, and how it says that there is more."""

from collections.abc import Sequence
from typing import TypeVar

PANELS = 12
"""Prune rates with a figure of their own."""
BARS = 30
"""Settings in one figure of bars, the smallest."""
LINES = 24
LABELS = 24
"""Prune rates on one axis."""
CURVES = 40
"""Training curves of one stage."""
LEVELS = 8
"""Levels of pruning in the legend of the curves."""
AXIS_VALUES, AXIS_RATES = 16, 4
"""Values of an axis and prune rates in the table of axes."""
COLUMNS = 8
"""Prune rates side by side on the terminal."""
WORDS = 12
"""Values named in a sentence."""

Value = TypeVar("Value")


def spread(values: Sequence[Value], n: int) -> list[Value]:
    """At most `n` of the values, evenly over their order, with the first and, of two or more, the last."""
    if len(values) <= n:
        return list(values)
    return [values[round(i * (len(values) - 1) / max(n - 1, 1))] for i in range(n)]


def listed(values: Sequence[object], n: int = WORDS) -> str:
    """The values in a sentence: the first `n`, and how many more there are."""
    more = len(values) - n
    named = ", ".join(str(value) for value in values[:n])
    return named if more <= 0 else f"{named} and {more:,} more"


def of_many(n_all: int, n_shown: int, what: str) -> str:
    """A sentence that says that not all is drawn; "" if it is."""
    return "" if n_shown >= n_all else f" Drawn: {n_shown:,} of {n_all:,} {what}."
