"""The point files of an experiment, read in the order of its plan into one table, always the same."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from xorjax.files import replacing
from xorjax.results.rows import COLUMNS, RowError, check_row, to_frame

STATUSES = ("ok", "failed")


class CollectError(ValueError):
    """A plan or point file that cannot be read; the message names it."""


@dataclass(frozen=True)
class Point:
    """One finished point: its rows (one failed row where it failed) and the training curves behind it.

    Each curve is {"stage", "title", "metrics"}; `compressed`, the point's compressed file, and the metrics are paths
    below the runs directory.
    """

    name: str
    status: str
    error: str | None
    rows: list[dict[str, Any]]
    compressed: str
    curves: list[dict[str, str]]


@dataclass(frozen=True)
class Experiment:
    """What is on disk of an experiment: the planned points in order, and those of them that have finished."""

    name: str
    command: str
    planned: tuple[str, ...]
    points: tuple[Point, ...]

    @property
    def unfinished(self) -> tuple[str, ...]:
        finished = {point.name for point in self.points}
        return tuple(name for name in self.planned if name not in finished)


def read_experiment(report_dir: Path) -> Experiment:
    """Read plan.json and the point files that it names; a planned point without a file has not finished.

    Raises `CollectError` naming the file that is missing a key, is not JSON, or belongs to another point.
    """
    plan = _read_json(report_dir / "plan.json", ("experiment", "points", "command"))
    present = {path.stem for path in (report_dir / "points").glob("*.json")}
    points = tuple(_read_point(report_dir, name, plan) for name in plan["points"] if name in present)
    return Experiment(plan["experiment"], plan["command"], tuple(plan["points"]), points)


def tabulate(experiment: Experiment) -> pl.DataFrame:
    """All rows in the order of the plan; the baselines of a quantized model once, from its first point."""
    return to_frame(list(_without_repeated_baselines(experiment.points)))


def collect(report_dir: Path) -> pl.DataFrame:
    """Read the experiment in `report_dir` and write its table there as results.parquet and results.csv."""
    table = tabulate(read_experiment(report_dir))
    write_table(table, report_dir)
    return table


def write_table(table: pl.DataFrame, report_dir: Path) -> None:
    """Write results.parquet and results.csv, each complete or not at all."""
    with replacing(report_dir / "results.parquet") as temporary:
        table.write_parquet(temporary)
    with replacing(report_dir / "results.csv") as temporary:
        table.write_csv(temporary)


def is_baseline(row: dict[str, Any]) -> bool:
    """Whether the row is a codec without an XOR network."""
    return row["status"] == "ok" and row["n_out"] is None


@lru_cache(maxsize=4096)
def flat_config(config: str) -> dict[str, Any]:
    """A row's config as one flat dict, dotted key -> value."""
    return dict(_leaves("", json.loads(config)))


def _leaves(prefix: str, tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}{key}.", value)
        else:
            yield prefix + key, value


def _without_repeated_baselines(points: tuple[Point, ...]) -> Iterator[dict[str, Any]]:
    seen = set()
    for point in points:
        for row in point.rows:
            if is_baseline(row):
                key = (row["quantized"], row["layer"], row["method"])
                if key in seen:
                    continue
                seen.add(key)
            yield row


def _read_point(report_dir: Path, name: str, plan: dict[str, Any]) -> Point:
    path = report_dir / "points" / f"{name}.json"
    content = _read_json(path, ("point", "status", "rows", "error", "compressed", "curves"))
    if content["point"] != name:
        raise CollectError(f"{path} holds the point {content['point']!r}, expected {name!r}")
    if content["status"] not in STATUSES:
        raise CollectError(f"{path} has the status {content['status']!r}, expected one of {STATUSES}")
    rows = content["rows"]
    if not rows:
        if content["status"] == "ok":
            raise CollectError(f"{path} has the status 'ok' and no rows")
        empty = dict.fromkeys(COLUMNS)
        rows = [empty | {"experiment": plan["experiment"], "point": name, "error": content["error"]}]
        rows[0]["status"] = "failed"
    try:
        for row in rows:
            check_row(row)
    except RowError as error:
        raise CollectError(f"{path}: {error}") from error
    return Point(name, content["status"], content["error"], rows, content["compressed"], content["curves"])


def _read_json(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CollectError(f"{path} is missing") from None
    except ValueError as error:
        raise CollectError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CollectError(f"{path} holds a {type(content).__name__}, expected an object")
    for key in keys:
        if key not in content:
            raise CollectError(f"{path} lacks the key {key!r}")
    return content
