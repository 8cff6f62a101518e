"""The best points for the terminal: the tables of `summary`, a column each prune rate, as many as it has room for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from rich.box import SIMPLE
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from xorjax.results.best import Best, best_of_each
from xorjax.results.caps import COLUMNS, of_many, spread
from xorjax.results.page import Column
from xorjax.results.summary import MODELS, best_columns, model_columns, reading, size_columns

NARROW, LETTERS = 14, 32
"""Letters of a shape that is on one line, and of any line."""
SPARE = ("^/coded as", "^validation", "./B$", "./A$", "^/value bits$")
"""Columns that are left out where there is no room for all, the first first."""
LEAST = 16
"""Letters of a line of text; no number is cut."""


@dataclass(frozen=True)
class SummaryTable:
    """`summarise`. Of many prune rates as many are shown as the terminal has room for: no number is cut."""

    summary: Sequence[Best]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.summary:
            yield Text("No point has a result yet.")
            return
        anything = options.update(max_width=10_000)
        for n in range(min(len(self.summary), COLUMNS), 0, -1):
            table = _upright(spread(self.summary, n))
            if Measurement.get(console, anything, table).maximum <= options.max_width:
                break
        yield table
        if more := of_many(len(self.summary), n, "prune rates, evenly spread; all are in the report"):
            yield Text(more.strip(), style="dim")
        yield Text(reading(self.summary[0].metric), style="dim")


@dataclass(frozen=True)
class ModelsTable:
    """`summarise_models`, a line each."""

    models: Sequence[Best]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield MODELS
        yield lying(model_columns(self.models), options.max_width)


def _words(column: Column) -> list[str]:
    """The words of a group are below each other: numbers need the room."""
    return [*column.group.split(), column.name]


def lying(columns: Sequence[Column], width: int) -> Table:
    """A table of columns, without those of `SPARE` for which there is no room."""

    def least(column: Column) -> int:
        longest = max(map(len, (*_words(column), *(text for text, _ in column.cells))))
        return min(longest, LEAST) if column.is_text else longest

    spare = list(SPARE)
    while spare and sum(least(column) + 2 for column in columns) > width:
        pattern = spare.pop(0)
        columns = [column for column in columns if not re.search(pattern, f"{column.group}/{column.name}")]
    drawn = Table(box=SIMPLE, pad_edge=False, collapse_padding=True)
    for column in columns:
        look: dict[str, Any] = {"justify": "right", "no_wrap": True}
        look = {"overflow": "fold"} if column.is_text else look
        drawn.add_column("\n".join(_words(column)), **look)
    for row in zip(*(column.cells for column in columns), strict=True):
        drawn.add_row(*(text for text, _ in row))
    return drawn


def _upright(shown: Sequence[Best]) -> Table:
    """A line for each column of the report's tables that is not empty."""
    first, *columns = best_columns(shown)
    columns += [column._replace(group="all codecs") for column in size_columns(shown)[1:]]
    columns = [column for column in columns if any(text for text, _ in column.cells)]
    table = Table(title=best_of_each(shown), title_justify="left")
    table.add_column(first.name, no_wrap=True)
    for text, _ in first.cells:
        table.add_column(text, justify="right", no_wrap=True)
    for i, column in enumerate(columns):
        if i == 0 or columns[i - 1].group != column.group:
            table.add_row(column.group, style="italic")
        is_last = column is columns[-1] or columns[i + 1].group != column.group
        texts = (_in_lines(text) or "-" for text, _ in column.cells)
        strong = "bold" if column.cells[0][1] == "strong" else None
        table.add_row(f"  {column.name}", *texts, style=strong, end_section=is_last)
    return table


def _in_lines(text: str) -> str:
    """One that a column has room for: shapes and rules of layers are long, and have few spaces to break at."""
    for before, after in ((" ± ", "\n± "), (" (sd", "\n(sd"), ("},", "},\n"), (", ", "\n")):
        text = text.replace(before, after)
    if len(text) > NARROW:
        text = text.replace(" → ", " →\n")
    return "\n".join(
        line for part in text.split("\n") for line in wrap(part, LETTERS, break_on_hyphens=False)
    )
