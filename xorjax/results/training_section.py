"""The report's section of training curves, read from the metrics beside the artifacts."""

from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from xorjax.results import page
from xorjax.results.caps import CURVES, of_many, spread
from xorjax.results.collect import Experiment
from xorjax.results.figure_sections import panels
from xorjax.results.palette import NEUTRAL, colours

if TYPE_CHECKING:
    from xorjax.results.curve_figures import Curve


def training(experiment: Experiment, results: pl.DataFrame, runs_dir: Path) -> list[str]:
    """The section of the training curves that are still on disk; none if there are none."""
    from xorjax.results import curve_figures

    curves, n_all = _curves(experiment, results, runs_dir)
    if not curves:
        return []
    of_rate = colours(results["prune_rate"].to_list())
    used = {curve.prune_rate for curve in curves}
    marks = {f"S = {rate:g}": colour for rate, colour in of_rate.items() if rate in used}
    if None in used:
        marks["shared by prune rates"] = NEUTRAL
    marks |= {"validation": "solid", "training (loss only)": "dotted"}
    return [
        page.section(
            "training",
            "Training",
            page.legend(marks),
            panels(curve_figures.curve_panels(curves, of_rate)),
            page.paragraph(
                "Accuracy and loss after every epoch of every training run, stage by stage: the dense "
                "network, pruning, training with binarized weights. Hover over a line for its name."
                f"{of_many(n_all, len(curves), 'training runs, evenly over each stage')}",
                "caption",
            ),
        )
    ]


def _curves(experiment: Experiment, results: pl.DataFrame, runs_dir: Path) -> "tuple[list[Curve], int]":
    """The curves to draw, and how many training runs there are. A metrics file that is damaged has no curve."""
    from xorjax.results.curve_figures import Curve

    rates: dict[str, float] = dict(results.select("point", "prune_rate").iter_rows())
    found: dict[str, dict[str, Any]] = {}
    for point in experiment.points:
        for curve in point.curves:
            entry = found.setdefault(curve["metrics"], {**curve, "rates": set()})
            if point.name in rates:
                entry["rates"].add(rates[point.name])
    by_stage = defaultdict(list)
    for metrics, entry in found.items():
        if (path := runs_dir / metrics).exists():
            by_stage[entry["stage"]].append((path, entry))
    drawn = [each for entries in by_stage.values() for each in spread(entries, CURVES)]
    curves = []
    for path, entry in drawn:
        rate = min(entry["rates"]) if len(entry["rates"]) == 1 else None
        try:
            metrics = _read(path, path.stat().st_mtime_ns)
        except (OSError, pl.exceptions.PolarsError):
            continue
        curves.append(Curve(entry["stage"], entry["title"], rate, metrics))
    return curves, sum(map(len, by_stage.values()))


@lru_cache(maxsize=1024)
def _read(path: Path, changed: int) -> pl.DataFrame:
    return pl.read_ndjson(path, infer_schema_length=None)
