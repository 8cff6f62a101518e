"""A comparison of two experiments as one self-contained page."""

from html import escape
from pathlib import Path

import plotly.graph_objects as go
import polars as pl
from plotly.offline import get_plotlyjs

from xorjax.files import replacing
from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.caps import of_many, spread
from xorjax.results.compare import Comparison
from xorjax.results.compare_tables import READING, Table, tables
from xorjax.results.figures import DIGITS_BY_STEP, EDGE, Panel, axes, hover, panels
from xorjax.results.palette import BLUE, ORANGE
from xorjax.results.tables import per_setting
from xorjax.results.variants import SAID, said

SHOWN = 1000
"""Rows of a table, and markers of one side."""
STYLES = ((BLUE, "circle"), (ORANGE, "square"))


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the page; nothing is asked for outside."""
    one, two = (f"{side}: {name}" for side, name in zip("AB", comparison.names, strict=True))
    sections = {table.name: _section(table) for table in tables(comparison)}
    sections["best"] += _fronts(comparison)
    header = (
        f"<header>\n<h1>{escape(one)}<br>{escape(two)}</h1>",
        page.settings_table(dict(zip((one, two), comparison.commands, strict=True))),
        page.paragraph(READING, "caption") + "\n</header>",
    )
    body = "\n".join((*header, *sections.values()))
    document = page.document(f"{one}, {two}: xorjax", body, [get_plotlyjs(), page.resource("plots.js")])
    # Not `write_text`: a directory that is not there is a mistyped one.
    with replacing(path) as temporary:
        temporary.write_text(document, encoding="utf-8")


def _section(table: Table) -> str:
    if not table.n_rows:
        return page.section(table.name, table.title, page.paragraph("None."))
    columns, said = table.some(SHOWN, "rows")
    drawn = page.table(table.title, columns)
    return page.section(table.name, table.title, drawn, page.paragraph(said, "caption"))


def _fronts(comparison: Comparison) -> str:
    metric, names = comparison.metric, comparison.names
    marks = {f"{side}: {name}": style[0] for side, name, style in zip("AB", names, STYLES, strict=True)}
    signs = {f"front by validation {metric.name}": "solid", "on that front": ("◎", "var(--ink)")}
    settings = [per_setting(of) for of in comparison.points]
    title = f"Bits against {metric.name}"
    drawn = [_panel(settings, names, metric, split) for split in ("validation", "test")]
    return page.section(
        "fronts",
        title,
        page.legend(marks | signs),
        panels(title, drawn),
        page.paragraph(
            "A marker is one setting, the mean over its seeds. The fronts are of those that no other setting of their "
            f"side beats in bits and validation {metric.name}; over test {metric.name}, which chooses nothing, the "
            "same settings have a ring.",
            "caption",
        ),
    )


def front(settings: pl.DataFrame, metric: Metric) -> pl.DataFrame:
    """The settings that no other beats in mean bits and in the mean metric by validation, from the smallest on."""
    good = pl.col("validation_metric") * (1 if metric.higher_is_better else -1)
    known = settings.drop_nulls("validation_metric").with_columns(good=good)
    ordered = known.sort("bits_per_weight", "good", descending=[False, True])
    before = pl.col("good").cum_max().shift(1)
    return ordered.filter(before.is_null() | (pl.col("good") > before))


def _panel(settings: list[pl.DataFrame], names: tuple[str, str], metric: Metric, split: str) -> Panel:
    column, shown = f"{split}_metric", [spread(range(of.height), SHOWN) for of in settings]
    figure = go.Figure(layout=axes("bits per weight", f"{split} {metric.label}"))
    figure.update_yaxes(tickformatstops=DIGITS_BY_STEP)
    for name, of, rows, (colour, symbol) in zip(names, settings, shown, STYLES, strict=True):
        drawn, best = of[rows], front(of, metric)
        figure.add_scatter(
            x=drawn["bits_per_weight"].to_list(),
            y=(metric.scale * drawn[column]).to_list(),
            mode="markers",
            name=name,
            text=[said(row) for row in drawn.select(SAID).rows()],
            marker={"color": colour, "symbol": symbol, "size": 8, "line": EDGE},
            hovertemplate=f"%{{fullData.name}}: %{{text}}<br>%{{x:.4f}} bits, {hover(metric)}<extra></extra>",
        )
        figure.add_scatter(
            x=best["bits_per_weight"].to_list(),
            y=(metric.scale * best[column]).to_list(),
            name=f"front of {name}",
            hoverinfo="skip",
            # Over the test split the settings that validation chose need not rise: they are ringed, not joined.
            mode="lines" if split == "validation" else "markers",
            line={"shape": "hv", "color": colour, "width": 2},
            marker={"symbol": "circle-open", "color": colour, "size": 15, "line": {"width": 2}},
        )
    more = of_many(sum(of.height for of in settings), sum(map(len, shown)), "settings")
    return Panel(f"{split.capitalize()} split", figure, wide=True, height=380, more=more)
