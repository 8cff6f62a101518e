"""A comparison of two experiments for the terminal."""

import re
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as Rich
from rich.text import Text

from xorjax.results.caps import of_many, spread
from xorjax.results.compare import Comparison
from xorjax.results.compare_tables import READING, Row, tables

SPARE = ("^coded as", "^validation", "\nB$", "\nA$", "^value bits$")
"""Columns that are left out where there is no room for all, the first first."""
LEAST = 16
"""Letters of a line of text; no number is cut."""


@dataclass(frozen=True)
class ComparisonTable:
    """The tables of the page, each with as many columns as there is room for."""

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from (f"{side}: {name}" for side, name in zip("AB", self.comparison.names, strict=True))
        yield Text(READING, "dim")
        for table in tables(self.comparison):
            yield Text(f"\n{table.title}{'' if table.rows else ': none'}", "bold")
            if rows := spread(table.rows, table.brief):
                yield _drawn(rows, options.max_width)
                more = of_many(len(table.rows), len(rows), "rows; the page has all")
                yield Text(f"{table.caption}{more}".strip(), "dim")


def _drawn(rows: list[Row], width: int) -> Rich:
    names, spare = list(rows[0]), list(SPARE)
    # The words of a group below each other: numbers need the room.
    heads = {n: [*n.rpartition("\n")[0].split(), n.rpartition("\n")[2]] for n in names}
    texts = {name for name in names if "text" in rows[0][name][1]}
    least = {n: max(map(len, (*heads[n], *(row[n][0] for row in rows)))) for n in names}
    least |= {name: min(least[name], LEAST) for name in texts}
    while spare and sum(least[name] + 2 for name in names) > width:
        pattern = spare.pop(0)
        names = [name for name in names if not re.search(pattern, name)]
    drawn = Rich(box=SIMPLE, pad_edge=False, collapse_padding=True)
    for name in names:
        look: dict[str, Any] = (
            {"overflow": "fold"} if name in texts else {"justify": "right", "no_wrap": True}
        )
        drawn.add_column("\n".join(heads[name]), **look)
    for row in rows:
        drawn.add_row(*(row[name][0] for name in names))
    return drawn
