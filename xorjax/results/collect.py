"""The point files of an experiment, read in the order of its plan into one table, always the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from xorjax.files import replacing
from xorjax.metric import ACCURACY, Metric
from xorjax.results.configs import setting
from xorjax.results.names import VALIDATION_IMAGES
from xorjax.results.points import CollectError, Point, read_object, read_point
from xorjax.results.rows import COLUMNS, to_frame


@dataclass(frozen=True)
class Experiment:
    """What is on disk of an experiment: the planned points in order, and those of them that have finished.

    `searched` are those that a search drew, `swept` the settings that differ among the points, with their values, as
    the plan says; none where it does not.
    """

    name: str
    command: str
    planned: tuple[str, ...]
    points: tuple[Point, ...]
    searched: frozenset[str] = frozenset()
    swept: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if point.status == "failed")

    @property
    def unfinished(self) -> tuple[str, ...]:
        finished = {point.name for point in self.points}
        return tuple(name for name in self.planned if name not in finished)


def read_experiment(report_dir: Path) -> Experiment:
    """Read plan.json and the point files that it names; a planned point without a file has not finished.

    Raises `CollectError` naming the file that is missing, damaged, lacks a key, or belongs to another point.
    """
    if not report_dir.is_dir():
        raise CollectError(f"{report_dir}: expected the directory of a report, which holds its plan.json")
    plan = read_object(report_dir / "plan.json", ("experiment", "points", "command"))
    files = {path.stem: path for path in (report_dir / "points").glob("*.json")}
    points = tuple(
        read_point(files[name], name, plan["experiment"]) for name in plan["points"] if name in files
    )
    searched = frozenset(plan.get("searched", ()))
    planned = tuple(plan["points"])
    return Experiment(plan["experiment"], plan["command"], planned, points, searched, plan.get("swept", {}))


def tabulate(experiment: Experiment) -> pl.DataFrame:
    """All rows in the order of the plan; the baselines of a quantized model once, from its first point."""
    return to_frame(list(_without_repeated_baselines(experiment.points)))


def write_table(table: pl.DataFrame, report_dir: Path) -> None:
    """Write results.parquet and results.csv, each complete or not at all."""
    with replacing(report_dir / "results.parquet") as temporary:
        table.write_parquet(temporary)
    with replacing(report_dir / "results.csv") as temporary:
        table.with_columns(_as_text(table["config"])).write_csv(temporary)


def _as_text(configs: pl.Series) -> pl.Series:
    """For a file that has no structs."""
    return configs.cast(pl.String) if configs.dtype == pl.Null else configs.struct.json_encode()


def metric_of(results: pl.DataFrame) -> Metric:
    """What the points are judged by, of rows without failures; the accuracy where there are none.

    Raises `CollectError` where points are judged by several: they cannot be shown against each other.
    """
    columns = ("metric", "metric_unit", "higher_is_better", "metric_tolerance")
    found = [Metric(*row) for row in results.select(columns).unique(maintain_order=True).iter_rows()]
    if len(found) > 1:
        experiment, names = results["experiment"][0], ", ".join(metric.name for metric in found)
        raise CollectError(
            f"{experiment}: its points are judged by {names}; give the points of each task a report of their own "
            "(report=NAME)"
        )
    return found[0] if found else ACCURACY


def split_sizes(results: pl.DataFrame) -> dict[str, int | None]:
    """How many examples each split has; None where points differ, or it is not known."""

    def only(values: set[Any]) -> int | None:
        return next(iter(values)) if len(values) == 1 else None

    pairs = zip(results["dataset"], setting(results["config"], "data.n_validation"), strict=True)
    validation = {VALIDATION_IMAGES.get(dataset) if n is None else n for dataset, n in pairs}
    return {"validation": only(validation), "test": only(set(results["n_test"].drop_nulls()))}


def _without_repeated_baselines(points: Iterable[Point]) -> Iterator[tuple[Any, ...]]:
    names = ("baseline", "quantized", "layer", "code", "mask_codec")
    baseline, *of_model = (COLUMNS.index(name) for name in names)
    seen = set()
    for point in points:
        for row in point.rows:
            if row[baseline]:
                key = tuple(row[i] for i in of_model)
                if key in seen:
                    continue
                seen.add(key)
            yield row
