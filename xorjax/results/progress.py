"""The report's section of how far the sweep is, and what those points say that failed: equal messages once."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path

from xorjax import paths
from xorjax.results import page
from xorjax.results.caps import listed
from xorjax.results.collect import Experiment
from xorjax.results.names import code_name
from xorjax.results.opening import state
from xorjax.results.page import count
from xorjax.results.points import Point
from xorjax.results.rows import COLUMNS

FAILURES = 50
"""Kinds of failure shown with their message; the table of all rows has the others."""


def progress(experiment: Experiment, runs_dir: Path) -> str:
    """How many points have finished, and what those say that failed; "" if all are there and whole."""
    failed = experiment.failed
    if not experiment.unfinished and not failed:
        return ""
    n = max(len(experiment.planned), 1)
    widths = {"": len(experiment.points) - len(failed), "failed": len(failed)}
    bars = "".join(f'<i class="{kind}" style="width:{100 * of / n:.2f}%"></i>' for kind, of in widths.items())
    parts = [page.paragraph(f"{state(experiment)}."), f'<div class="progress">{bars}</div>']
    stages = _stages(runs_dir) if failed else {}
    alike: dict[str, list[Point]] = {}
    for point in failed:
        alike.setdefault(point.error or "no message", []).append(point)
    kinds = sorted(alike.items(), key=lambda kind: -len(kind[1]))
    parts += [_failure(message, points, stages, experiment.command) for message, points in kinds[:FAILURES]]
    if failed:
        more = sum(len(points) for _, points in kinds[FAILURES:])
        others = f" {count(more, 'more failed point')} in the table of all rows." if more else ""
        parts.append(
            page.paragraph(f"Repeat the command of the sweep to run failed points again.{others}", "caption")
        )
    return page.section("progress", "Progress", *parts)


def _failure(message: str, points: list[Point], stages: Mapping[str, str], command: str) -> str:
    """The message, the points, and the command that runs the first of them."""
    where = f" in the stage {stages[message]}" if message in stages else ""
    own = points[0].rows[0][COLUMNS.index("command")] or command
    return (
        f'<div class="failure"><strong>{count(len(points), "point")} failed{escape(where)}</strong>'
        f"<pre>{escape(message)}</pre>{page.paragraph(listed([_title(point) for point in points]))}"
        '<p class="buttons">the first one\'s command: <button type="button" data-copy>Copy</button> '
        f'<span role="status"></span></p><code>{escape(own)}</code></div>'
    )


def _title(point: Point) -> str:
    """A failed point for readers, by what is known of its setting; else its name."""
    row = dict(zip(COLUMNS, point.rows[0], strict=True))
    if row["prune_rate"] is None or row["seed"] is None:
        return point.name
    code = (row["config"] or {}).get("code", {})
    n_in, n_out = code.get("n_in"), code.get("n_out")
    shape = (
        f"{n_in} → {n_out}" if n_out else f"n_in {n_in}" if n_in else row["code"] and code_name(row["code"])
    )
    parts = f"S {row['prune_rate']:g}", shape, f"seed {row['seed']}"
    return f"({', '.join(filter(None, parts))})"


def _stages(runs_dir: Path) -> Mapping[str, str]:
    """Message -> kind of the stage that failed with it, as the log of stages says; those of several kinds left out."""
    kinds: dict[str, set[str]] = {}
    try:
        lines = paths.stage_log(runs_dir).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        if '"failed"' not in line:
            continue
        try:
            event = json.loads(line)
            if event["event"] == "failed":
                kinds.setdefault(event["error"], set()).add(event["stage"])
        except (ValueError, KeyError, TypeError):
            continue
    return {message: next(iter(found)) for message, found in kinds.items() if len(found) == 1}
