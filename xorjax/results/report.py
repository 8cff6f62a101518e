"""One self-contained page of an experiment, rebuilt from the points on disk as they finish."""

from pathlib import Path

import polars as pl

from xorjax.files import write_text
from xorjax.results import figure_sections, page
from xorjax.results.collect import Experiment, metric_of, read_experiment, tabulate, write_table
from xorjax.results.explore import data, explore, marked
from xorjax.results.figure_sections import baselines, bits, patches
from xorjax.results.headline import header
from xorjax.results.masks_section import masks
from xorjax.results.names import GLOSSARY
from xorjax.results.progress_section import progress
from xorjax.results.settings_section import settings
from xorjax.results.summary_section import summary_section
from xorjax.results.tables import per_point, per_setting, summarise_points, with_best_gaps
from xorjax.results.training_section import training
from xorjax.results.variants import varied_keys


def build_report(report_dir: Path) -> Path:
    """Write results.parquet, results.csv and report.html of the experiment in `report_dir`; returns the page.

    Works from one finished point on, and before it. A point file that did not change since the last report of this
    process is not read again. Raises `CollectError` naming a file that cannot be read, or, once the tables are
    written, where the points are judged by several metrics.
    """
    experiment = read_experiment(report_dir)
    table = tabulate(experiment)
    write_table(table, report_dir)
    path = report_dir / "report.html"
    write_text(path, _render(experiment, table, runs_dir=report_dir.parent.parent))
    return path


def _render(experiment: Experiment, table: pl.DataFrame, runs_dir: Path) -> str:
    results = table.filter(pl.col("status") == "ok")
    metric = metric_of(results)
    points = per_point(table, varied_keys((table, experiment.swept)))
    summary = summarise_points(points)
    rows = marked(table, experiment)
    drawn = with_best_gaps(points)
    points_section = explore(rows, drawn, metric)
    sections = [text for text in (progress(experiment, runs_dir), points_section) if text]
    if summary:
        by_setting = per_setting(points)
        sections.insert(sections.index(points_section), summary_section(summary, results, points))
        sections += [
            bits(by_setting),
            figure_sections.metric(points, metric),
            *masks(points, metric),
            *patches(by_setting),
            baselines(summary),
            *training(experiment, results, metric, runs_dir),
            settings(experiment, results),
            page.section("glossary", "Glossary", page.definitions(GLOSSARY)),
        ]
    scripts = [page.script_data("DATA", data(rows, drawn, metric)), page.resource("explore.js")]
    if not points.is_empty():
        from plotly.offline import get_plotlyjs

        resources = (page.resource(name) for name in ("points.js", "pareto.js", "layers.js"))
        scripts = [get_plotlyjs(), page.resource("plots.js"), *scripts, *resources]
    scripts.append(page.resource("rows.js"))
    parts = [header(experiment, results, points, summary), _navigation(sections), *sections]
    return page.document(f"{experiment.name}: xorjax", "\n".join(parts), scripts)


def _navigation(sections: list[str]) -> str:
    names = [text.split('"', 2)[1] for text in sections]
    links = "".join(f'<a href="#{name}">{name.capitalize()}</a>' for name in names)
    return f'<nav aria-label="Sections">{links}</nav>'
