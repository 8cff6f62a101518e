"""The report's section of how far the sweep is, and what those points say that failed: equal messages once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import polars as pl

from xorjax import paths
from xorjax.results import page
from xorjax.results.collect import Experiment
from xorjax.results.configs import setting
from xorjax.results.names import code_name
from xorjax.results.page import count
from xorjax.results.points import Point
from xorjax.results.rows import COLUMNS

FAILURES = 50
"""Kinds of failure shown with their message; the table of all rows has the others."""
NAMED = 12
"""Points of one failure that are listed."""


@dataclass
class Failure:
    """What several points say alike: the stage that failed, None if that is not known, and its message."""

    stage: str | None
    message: str
    points: list[str] = field(default_factory=list)
    command: str = ""
    """Of its first point."""


def is_done(experiment: Experiment) -> bool:
    """Whether every point is there and none failed."""
    return not experiment.unfinished and not experiment.failed


def state(experiment: Experiment) -> str:
    """How many points are there."""
    n_failed = len(experiment.failed)
    n_finished = len(experiment.points) - n_failed
    return (
        f"{n_finished:,} of {count(len(experiment.planned), 'point')} finished, {n_failed or 'none'} failed"
    )


def progress(experiment: Experiment, runs_dir: Path) -> str:
    """How many points have finished, and what those say that failed; "" if all are there and whole."""
    if is_done(experiment):
        return ""
    n, failed = max(len(experiment.planned), 1), experiment.failed
    n_finished = len(experiment.points) - len(failed)
    widths = {"": 100 * n_finished / n, "failed": 100 * len(failed) / n}
    bars = "".join(f'<i class="{kind}" style="width:{width:.2f}%"></i>' for kind, width in widths.items())
    parts = [page.paragraph(f"{state(experiment)}."), f'<div class="progress">{bars}</div>']
    failures = _alike(failed, experiment.command, _stages(runs_dir))
    for failure in failures[:FAILURES]:
        more = len(failure.points) - NAMED
        names = [*failure.points[:NAMED], *([f"and {count(more, 'more point')}"] if more > 0 else [])]
        where = f" in the stage {failure.stage}" if failure.stage else ""
        title = f"{count(len(failure.points), 'point')} failed{where}"
        parts.append(page.failure(title, failure.message, names, failure.command))
    if failed:
        more = sum(len(failure.points) for failure in failures[FAILURES:])
        others = f" {count(more, 'more failed point')} in the table of all rows." if more > 0 else ""
        again = f"Repeat the command of the sweep to run failed points again.{others}"
        parts.append(page.paragraph(again, "caption"))
    return page.section("progress", "Progress", *parts)


def title_of(point: Point) -> str:
    """A failed point for readers, by what is known of its setting; else its name."""
    row = dict(zip(COLUMNS, point.rows[0], strict=True))
    if row["prune_rate"] is None or row["seed"] is None:
        return point.name
    code = (row["config"] or {}).get("code", {})
    parts = [f"S {row['prune_rate']:g}"]
    if (n_in := code.get("n_in")) is None:
        parts += [code_name(row["code"])] if row["code"] else []
    else:
        n_out = code.get("n_out")
        parts.append(f"n_in {n_in}" if n_out is None else f"{n_in} → {n_out}")
    return ", ".join([*parts, f"seed {row['seed']}"])


def _alike(failed: Sequence[Point], command: str, stages: dict[str, str]) -> list[Failure]:
    """Kinds of failure by how many points they stopped."""
    found: dict[tuple[str | None, str], Failure] = {}
    place = COLUMNS.index("command")
    for point in failed:
        message = point.error or "no message"
        stage = stages.get(message)
        failure = found.setdefault((stage, message), Failure(stage, message))
        failure.points.append(title_of(point))
        failure.command = failure.command or point.rows[0][place] or command
    return sorted(found.values(), key=lambda failure: -len(failure.points))


def _stages(runs_dir: Path) -> dict[str, str]:
    """Message -> kind of the stage that failed with it, as the log of stages says; those of several kinds left out."""
    try:
        changed = paths.stage_log(runs_dir).stat()
    except OSError:
        return {}
    return _read(paths.stage_log(runs_dir), changed.st_mtime_ns, changed.st_size)


@lru_cache(maxsize=8)
def _read(log: Path, changed: int, size: int) -> dict[str, str]:
    kinds: dict[str, set[str]] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if '"failed"' not in line:
            continue
        try:
            event = json.loads(line)
            if event["event"] == "failed":
                kinds.setdefault(event["error"], set()).add(event["stage"])
        except (ValueError, KeyError, TypeError):
            continue
    return {message: next(iter(found)) for message, found in kinds.items() if len(found) == 1}


def known_of_failed(table: pl.DataFrame) -> pl.DataFrame:
    """The rows, of failed points with what their settings say of the coding, which has no result."""
    failed, configs = pl.col("status") == "failed", table["config"]
    keys = {name: f"code.{name}" for name in ("n_in", "n_out", "method", "patch_format")}
    keys |= {"mask_codec": "mask.codec"}
    if not table.select(failed.any()).item():
        return table
    return table.with_columns(
        pl.when(failed)
        .then(pl.coalesce(column, setting(configs, key).cast(table.schema[column])))
        .otherwise(pl.col(column))
        .alias(column)
        for column, key in keys.items()
    )
