"""The point files of an experiment, read in the order of its plan into one table, always the same."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from xorjax.files import replacing
from xorjax.results.flat import flat_config
from xorjax.results.names import VALIDATION_IMAGES
from xorjax.results.points import CollectError, Point, read_object, read_point
from xorjax.results.rows import COLUMNS, to_frame


@dataclass(frozen=True)
class Experiment:
    """What is on disk of an experiment: the planned points in order, and those of them that have finished.

    `searched` are those that a search drew.
    """

    name: str
    command: str
    planned: tuple[str, ...]
    points: tuple[Point, ...]
    searched: frozenset[str] = frozenset()

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
    return Experiment(plan["experiment"], plan["command"], tuple(plan["points"]), points, searched)


def tabulate(experiment: Experiment) -> pl.DataFrame:
    """All rows in the order of the plan; the baselines of a quantized model once, from its first point."""
    return to_frame(list(_without_repeated_baselines(experiment.points)))


def write_table(table: pl.DataFrame, report_dir: Path) -> None:
    """Write results.parquet and results.csv, each complete or not at all."""
    with replacing(report_dir / "results.parquet") as temporary:
        table.write_parquet(temporary)
    with replacing(report_dir / "results.csv") as temporary:
        table.write_csv(temporary)


def split_sizes(results: pl.DataFrame) -> dict[str, int | None]:
    """How many images each split has; None where points differ, or it is not known."""

    def only(values: set[Any]) -> int | None:
        return next(iter(values)) if len(values) == 1 else None

    validation = set()
    for dataset, config in results.select("dataset", "config").unique().iter_rows():
        n = flat_config(config).get("data.n_validation")
        validation.add(VALIDATION_IMAGES.get(dataset) if n is None else n)
    return {"validation": only(validation), "test": only(set(results["n_test"].drop_nulls()))}


def _without_repeated_baselines(points: Iterable[Point]) -> Iterator[tuple[Any, ...]]:
    names = ("status", "n_out", "quantized", "layer", "method")
    status, n_out, *of_model = (COLUMNS.index(name) for name in names)
    seen = set()
    for point in points:
        for row in point.rows:
            if row[status] == "ok" and row[n_out] is None:
                key = tuple(row[i] for i in of_model)
                if key in seen:
                    continue
                seen.add(key)
            yield row
