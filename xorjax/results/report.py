"""One self-contained page of an experiment, rebuilt from the points on disk as they finish."""

from pathlib import Path

import polars as pl

from xorjax.files import replacing
from xorjax.results import page
from xorjax.results.collect import Experiment, read_experiment, tabulate, write_table
from xorjax.results.explore import data, explore
from xorjax.results.headline import header, progress
from xorjax.results.sections import glossary, result_sections, settings
from xorjax.results.tables import per_point, summarise_points


def build_report(report_dir: Path) -> Path:
    """Write results.parquet, results.csv and report.html of the experiment in `report_dir`; returns the page.

    Works from one finished point on, and before it. A point file that did not change since the last report of this
    process is not read again. Raises `CollectError` naming a file that cannot be read.
    """
    experiment = read_experiment(report_dir)
    table = tabulate(experiment)
    write_table(table, report_dir)
    path = report_dir / "report.html"
    text = _render(experiment, table, runs_dir=report_dir.parent.parent)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _render(experiment: Experiment, table: pl.DataFrame, runs_dir: Path) -> str:
    results = table.filter(pl.col("status") == "ok")
    points = per_point(table)
    summary = summarise_points(points)
    sections = [progress(experiment, table), explore(table, points)]
    if summary:
        best, *figures = result_sections(experiment, results, points, summary, runs_dir)
        sections[1:1] = [best]
        sections += [*figures, settings(experiment, results), glossary()]
    scripts = [page.script_data("DATA", data(table, points)), page.resource("explore.js")]
    if not points.is_empty():
        from plotly.offline import get_plotlyjs

        scripts = [get_plotlyjs(), page.resource("plots.js"), *scripts, page.resource("pareto.js")]
    scripts.append(page.resource("rows.js"))
    parts = [header(experiment, results, summary), _navigation(sections), *sections]
    return page.document(f"{experiment.name}: xorjax", "\n".join(parts), scripts)


def _navigation(sections: list[str]) -> str:
    names = [text.split('"', 2)[1] for text in sections]
    links = "".join(f'<a href="#{name}">{name.capitalize()}</a>' for name in names)
    return f'<nav aria-label="Sections">{links}</nav>'
