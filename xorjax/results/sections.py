"""The sections of the report about results, put together; the words that they use; the settings behind them."""

from pathlib import Path
from typing import Any

import polars as pl

from xorjax.results import page
from xorjax.results.caps import listed
from xorjax.results.collect import Experiment, flat_config
from xorjax.results.figure_sections import accuracy, baselines, bits, masks, patches
from xorjax.results.names import GLOSSARY
from xorjax.results.summary_section import summary_section
from xorjax.results.tables import Best, per_setting
from xorjax.results.training_section import training


def result_sections(
    experiment: Experiment,
    results: pl.DataFrame,
    points: pl.DataFrame,
    summary: list[Best],
    runs_dir: Path,
) -> list[str]:
    """All sections with results, of rows without failures of which at least one is an XOR point's.

    `points`: as `tables.per_point` gives them.
    """
    by_setting = per_setting(points)
    return [
        summary_section(summary, results, points),
        bits(by_setting),
        accuracy(points),
        masks(points),
        patches(by_setting),
        baselines(summary),
        *training(experiment, results, runs_dir),
    ]


def glossary() -> str:
    """The words that the page uses."""
    return page.section("glossary", "Words", page.definitions(GLOSSARY))


def settings(experiment: Experiment, results: pl.DataFrame) -> str:
    """What was swept, what was the same for all points, and by which versions."""
    values: dict[str, dict[Any, None]] = {}
    for config in results["config"].unique(maintain_order=True):
        for key, value in flat_config(config).items():
            values.setdefault(key, {})[value] = None
    swept = {key: listed(list(seen)) for key, seen in values.items() if len(seen) > 1}
    fixed = {key: next(iter(seen)) for key, seen in values.items() if len(seen) == 1}
    columns = ("commit", "device", "xorjax_version", "jax_version", "numpy_version", "n_test")
    versions = {
        c: ", ".join(str(v) for v in results[c].drop_nulls().unique(maintain_order=True)) for c in columns
    }
    n_test = versions.pop("n_test")
    versions = {"command": experiment.command, **versions, "test images": n_test}
    return page.section(
        "settings",
        "Settings and versions",
        '<div class="columns"><div><h3>Swept</h3>',
        page.settings_table(swept or {"nothing": "a single point"}),
        "<h3>Versions</h3>",
        page.settings_table({name.replace("_", " "): value for name, value in versions.items()}),
        "</div><div><h3>The same for all points</h3>",
        page.settings_table(fixed),
        "</div></div>",
    )
