"""The report's section of the settings and versions behind its results."""

from typing import Any

import polars as pl

from xorjax.results import page
from xorjax.results.caps import listed
from xorjax.results.collect import Experiment
from xorjax.results.flat import flat_config


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
