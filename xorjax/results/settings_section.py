"""The report's section of the settings and versions behind its results."""

import polars as pl

from xorjax.results import page
from xorjax.results.caps import listed
from xorjax.results.collect import Experiment
from xorjax.results.configs import distinct, plain
from xorjax.results.names import example


def settings(experiment: Experiment, results: pl.DataFrame) -> str:
    """What was swept, what was the same for all points, and by which versions."""
    swept = {key: listed([plain(value, key) for value in values]) for key, values in experiment.swept.items()}
    if not swept:
        swept = {"nothing": "a single point" if len(experiment.planned) == 1 else "that the plan names"}
    fixed = {key: values[0] for key, values in distinct(results["config"]).items() if len(values) == 1}
    fixed |= {key: plain(value, key) for key, value in fixed.items() if key == "per_layer"}
    columns = ("commit", "device", "xorjax_version", "jax_version", "numpy_version", "n_test")
    versions = {
        c: ", ".join(str(v) for v in results[c].drop_nulls().unique(maintain_order=True)) for c in columns
    }
    n_test = versions.pop("n_test")
    versions = {"command": experiment.command, **versions, f"test {example(results['task'])}s": n_test}
    return page.section(
        "settings",
        "Settings and versions",
        '<div class="columns"><div><h3>Swept</h3>',
        page.settings_table(swept),
        "<h3>Versions</h3>",
        page.settings_table({name.replace("_", " "): value for name, value in versions.items()}),
        "</div><div><h3>The same for all points</h3>",
        page.settings_table(fixed),
        "</div></div>",
    )
