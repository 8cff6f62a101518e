"""One self-contained page of an experiment, rebuilt from the points on disk as they finish."""

from pathlib import Path

import polars as pl
from plotly.offline import get_plotlyjs

from xorjax.files import write_text
from xorjax.results import bars, page
from xorjax.results.caps import listed
from xorjax.results.collect import Experiment, metric_of, read_experiment, tabulate, write_table
from xorjax.results.configs import distinct, plain
from xorjax.results.explore import explore
from xorjax.results.explore_data import data, marked
from xorjax.results.masks import masks
from xorjax.results.metric_section import metric_section
from xorjax.results.names import GLOSSARY
from xorjax.results.opening import opening
from xorjax.results.patches import patches
from xorjax.results.progress import progress
from xorjax.results.summary import summary_section
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
    sections = [progress(experiment, runs_dir), explore(rows, drawn, metric)]
    scripts = [page.script_data("DATA", data(rows, drawn, metric)), page.resource("explore.js")]
    if summary:
        by_setting = per_setting(points)
        sections[1:1] = [summary_section(summary, results, points)]
        sections += [
            bars.bits(by_setting),
            metric_section(points, metric),
            masks(points, metric),
            patches(points),
            bars.codecs(summary),
            training(experiment, results, metric, runs_dir),
            _settings(experiment, results),
            page.section("glossary", "Glossary", page.definitions(GLOSSARY)),
        ]
        figures = (page.resource(name) for name in ("pareto.js", "layers.js"))
        scripts = [get_plotlyjs(), page.resource("plots.js"), *scripts, *figures]
    sections = [text for text in sections if text]
    names = [text.split('"', 2)[1] for text in sections]
    links = "".join(f'<a href="#{name}">{name.capitalize()}</a>' for name in names)
    parts = [
        opening(experiment, results, points, summary),
        f'<nav aria-label="Sections">{links}</nav>',
        *sections,
    ]
    scripts.append(page.resource("rows.js"))
    return page.document(f"{experiment.name}: xorjax", "\n".join(parts), scripts)


def _settings(experiment: Experiment, results: pl.DataFrame) -> str:
    """What was swept, what was the same for all points, and by which versions."""
    swept = {key: listed([plain(value, key) for value in values]) for key, values in experiment.swept.items()}
    fixed = {key: plain(v[0], key) for key, v in distinct(results["config"]).items() if len(v) == 1}
    columns = ("commit", "device", "xorjax_version", "jax_version", "numpy_version", "n_test")
    known = {c: ", ".join(map(str, results[c].drop_nulls().unique(maintain_order=True))) for c in columns}
    # Those of the stages of a point are one text.
    versions = {c: ", ".join(dict.fromkeys(text.split(", "))) for c, text in known.items()}
    return page.section(
        "settings",
        "Settings and versions",
        '<div class="columns"><div><h3>Swept</h3>',
        page.settings_table(swept or {"nothing": ""}),
        "<h3>Versions</h3>",
        page.settings_table({"command": experiment.command, **versions}),
        "</div><div><h3>The same for all points</h3>",
        page.settings_table(fixed),
        "</div></div>",
    )
