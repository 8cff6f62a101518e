"""The report's section of training curves, read from the metrics beside the artifacts."""

import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from xorjax import paths
from xorjax.files import read_record, sha256
from xorjax.metric import Metric
from xorjax.results import page
from xorjax.results.caps import CURVES, LEVELS, of_many, spread
from xorjax.results.collect import Experiment
from xorjax.results.configs import setting
from xorjax.results.curve_figures import Curve, curve_panels
from xorjax.results.figures import panels
from xorjax.results.palette import CYCLE, NEUTRAL, colours

NOT_PRUNED = ("dense", "unpruned", "reference")
"""Stages whose networks keep all weights, whatever the prune rate of their points."""


def training(experiment: Experiment, results: pl.DataFrame, metric: Metric, runs_dir: Path) -> str:
    """The section of the training curves that are still on disk; "" if there are none."""
    curves, n_all = _curves(experiment, results, runs_dir)
    if not curves:
        return ""
    swept = colours(results["prune_rate"].to_list())
    used = {curve.prune_rate for curve in curves}
    between = sorted(rate for rate in used if rate is not None and rate not in swept)
    free = [hue for hue in CYCLE if hue not in swept.values()]
    # A level on the way to the prune rates has a hue of its own while there are enough.
    hues = free if len(between) <= len(free) else [NEUTRAL] * len(between)
    of_level = dict(zip(between, hues, strict=False))
    marks = {f"S = {rate:g}": colour for rate, colour in swept.items() if rate in used}
    marks |= {
        f"S = {rate:.3g}, a level on the way": colour
        for rate, colour in spread(list(of_level.items()), LEVELS)
    }
    marks |= {"not pruned": NEUTRAL, "validation": "solid", "training (loss only)": "dotted"}
    return page.section(
        "training",
        "Training",
        page.legend(marks),
        panels("Training", curve_panels(curves, swept | of_level, metric)),
        page.paragraph(
            f"{metric.name.capitalize()} and loss after every epoch of every training run, stage by stage: the dense "
            "network; its reference, trained on as at the levels of pruning (unpruned) and then as with binarized "
            "weights; pruning; training with binarized weights. The training loss is that of what is trained, of "
            "smoothed labels where they are, the validation loss that of the labels as they are: that the first lies "
            "above the second says nothing of how well a network generalizes. Hover over a line for its name."
            f"{of_many(n_all, len(curves), 'training runs, evenly over each stage')}",
            "caption",
        ),
    )


def _curves(experiment: Experiment, results: pl.DataFrame, runs_dir: Path) -> tuple[list[Curve], int]:
    """The curves to draw, and how many training runs there are. A metrics file that is damaged has no curve."""
    rates: dict[str, float] = dict(
        zip(results["point"], setting(results["config"], "prune.rate"), strict=True)
    )
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
        try:
            metrics = _read(path, path.stat().st_mtime_ns)
        except (OSError, ValueError, KeyError):
            continue
        curves.append(Curve(entry["stage"], entry["title"], _rate(entry), metrics))
    return curves, sum(map(len, by_stage.values()))


def _rate(entry: dict[str, Any]) -> float | None:
    """What a curve's own title says, since a level of pruning belongs to all rates beyond it; else its points' rate."""
    if said := re.search(r"\bS = ([\d.]+)", entry["title"]):
        return float(said[1])
    is_pruned = entry["stage"] not in NOT_PRUNED
    return min(entry["rates"]) if len(entry["rates"]) == 1 and is_pruned else None


@lru_cache(maxsize=1024)
def _read(path: Path, changed: int) -> pl.DataFrame:
    """The metrics of an artifact. Raises ValueError where they are not what was written, or of an older version."""
    if sha256(path) != read_record(path.with_name(paths.ARTIFACT))["files"][path.name]:
        raise ValueError(f"{path} is damaged")
    metrics = pl.read_ndjson(path.read_bytes(), infer_schema_length=None)  # a path would be a pattern
    if "validation_metric" not in metrics.columns:
        raise ValueError(f"{path} is of an older version")
    return metrics
