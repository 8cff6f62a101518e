"""A comparison of two experiments for the terminal."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from xorjax.results.compare import Comparison
from xorjax.results.compare_tables import READING, tables
from xorjax.results.terminal import lying


@dataclass(frozen=True)
class ComparisonTable:
    """The tables of the page, each with as many columns as there is room for."""

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from (f"{side}: {name}" for side, name in zip("AB", self.comparison.names, strict=True))
        yield Text(READING, "dim")
        for table in tables(self.comparison):
            yield Text(f"\n{table.title}{'' if table.n_rows else ': none'}", "bold")
            if table.n_rows:
                columns, said = table.some(table.brief, "rows; the page has all")
                yield lying(columns, options.max_width)
                yield Text(said, "dim")
