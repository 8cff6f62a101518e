"""The state of every stage of a run directory, from its log, its directories and the processes of this host."""

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.dashboard.listing import Listing
from xorjax.dashboard.log import BEGAN, StageLog
from xorjax.dashboard.planned import Stage
from xorjax.dashboard.tail import Tail
from xorjax.dashboard.values import UnreadableError, number, read_object, text

SILENCE = 300.0
"""Seconds without activity after which work on another host counts as stopped."""

_CURVES_KEPT = 64
_LONGEST_CURVE = 400
_COLUMNS = ("train_loss", "train_metric", "validation_loss", "validation_metric")

Metrics = list[dict[str, Any]]


@dataclass(frozen=True)
class Work:
    """A stage that somebody began and that is not whole.

    `state` is "running", or "stopped" with a `note` that says why. `began` and `seen`, the last sign of life, are
    seconds since 1970; `epochs` counts those done, `validation` is the value of `metric` after the last.
    """

    state: str
    note: str
    host: str | None
    pid: int | None
    began: float | None
    seen: float | None
    epochs: int
    validation: float | None
    metric: str | None


class RunDirectory:
    """What all experiments below `runs` share."""

    def __init__(self, runs: Path):
        self.runs = runs
        self.log = StageLog(runs)
        self._host = socket.gethostname()
        self._listings: dict[str, Listing] = {}
        self._whole: dict[str, set[str]] = {}
        self._seconds: dict[Stage, float | None] = {}
        self._tails: dict[Path, tuple[Tail, Metrics]] = {}

    @property
    def version(self) -> tuple[int, ...]:
        """Differs when the log or a directory of artifacts may have changed."""
        return (self.log.version, *(listing.version for listing in self._listings.values()))

    def look(self) -> None:
        """Read what is new. The log first: what it says is finished is then found whole."""
        self.log.look()
        for kind, listing in self._listings.items():
            if listing.look():
                self._whole[kind] &= listing.names

    def is_whole(self, kind: str, name: str) -> bool:
        """Whether the artifact is there, with the file that is written last."""
        if kind not in self._listings:
            self._listings[kind], self._whole[kind] = Listing(self.runs / kind), set()
            self._listings[kind].look()
        if name in self._whole[kind]:
            return True
        if name not in self._listings[kind].names or not self._has_record(kind, name):
            return False
        self._whole[kind].add(name)
        return True

    def _has_record(self, kind: str, name: str) -> bool:
        return (paths.artifact_dir(self.runs, kind, name) / paths.ARTIFACT).exists()

    def state(self, stage: Stage) -> tuple[str, str]:
        """ "done", "running", "failed", "stopped" or "waiting", and a note that says why."""
        kind, name, _ = stage
        if self.is_whole(kind, name):
            return "done", ""
        last = self.log.last.get((kind, name))
        event = last.event if last else None
        if event in BEGAN:
            work = self.work(stage)
            return (work.state, work.note) if work else ("done", "")
        if event == "failed":
            return "failed", (last.message if last else None) or "failed; the log does not say why"
        if event == "interrupted":
            return "stopped", "interrupted: run the same command to resume it"
        if event != "damaged" and f"{name}.partial" in self._listings[kind].names:
            return "stopped", "started, then abandoned"
        return "waiting", "its artifact was damaged and is to be rebuilt" if event == "damaged" else ""

    def work(self, stage: Stage) -> Work | None:
        """Who is at a stage that was begun, and how far; None if it has just become whole, or the log begun anew."""
        last = self.log.last.get(stage[:2])
        if last is None:
            return None
        directory = paths.partial_dir(self.runs, stage.kind, stage.name)
        signs = [last.time, *_touched(directory)]
        seen = max((sign for sign in signs if sign is not None), default=None)
        state, note = self._is_alive(last.host, last.pid, seen)
        if state == "stopped" and self._has_record(stage.kind, stage.name):
            # It ended between the look at the directory and the look at the process.
            return None
        metrics = self.metrics(directory) if stage.epochs or state == "running" else []
        latest = metrics[-1] if metrics else {}
        measured = number(latest.get("validation_metric")), text(latest.get("metric"))
        return Work(state, note, last.host, last.pid, last.time, seen, len(metrics), *measured)

    def _is_alive(self, host: str | None, pid: int | None, seen: float | None) -> tuple[str, str]:
        if host == self._host and pid is not None:
            gone = f"process {pid} has ended: run the same command to resume"
            return ("running", "") if _exists(pid) else ("stopped", gone)
        if seen is None or time.time() - seen > SILENCE:
            where = f" on {host}" if host else ""
            return "stopped", f"no activity{where} for {SILENCE / 60:.0f} min"
        return "running", ""

    def seconds(self, stage: Stage) -> float | None:
        """What a whole stage took, as the log says or else its artifact; None if neither does."""
        logged = self.log.seconds.get((stage.kind, stage.name))
        if logged is None and stage not in self._seconds:
            file = paths.artifact_dir(self.runs, stage.kind, stage.name) / paths.ARTIFACT
            try:
                self._seconds[stage] = number(read_object(file).get("seconds"))
            except (OSError, UnreadableError):
                self._seconds[stage] = None
        return self._seconds[stage] if logged is None else logged

    def curve(self, stage: Stage, whole: bool) -> dict[str, list[float | None]]:
        """The metrics of a stage by column, with the number of each epoch; of very many epochs some."""
        place = paths.artifact_dir if whole else paths.partial_dir
        rows = self.metrics(place(self.runs, stage.kind, stage.name))
        step = -(-len(rows) // _LONGEST_CURVE) or 1
        kept = rows[(len(rows) - 1) % step :: step] if rows else []
        columns: dict[str, list[float | None]] = {
            column: [number(row.get(column)) for row in kept] for column in _COLUMNS
        }
        return {"epoch": [number(row.get("epoch")) for row in kept], **columns}

    def metrics(self, directory: Path) -> Metrics:
        """The lines of a stage's metrics; while a mask is chosen, those of its rounds one after the other."""
        if rows := self._lines(directory / paths.METRICS):
            return rows
        rows = []
        number_of_round = 0
        while part := self._lines(directory / f"round{number_of_round}" / paths.METRICS):
            before = len(rows)
            rows += [{**row, "epoch": before + i} for i, row in enumerate(part, 1)]
            number_of_round += 1
        return rows

    def _lines(self, path: Path) -> Metrics:
        tail, rows = self._tails.pop(path, None) or (Tail(path), [])
        void, new = tail.read()
        if void:
            rows = []
        rows = rows + new
        if rows:
            self._tails[path] = (tail, rows)
            if len(self._tails) > _CURVES_KEPT:
                del self._tails[next(iter(self._tails))]
        return rows


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # One that ended and whose parent has not asked yet is no more at work than one that is gone.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state not in ("Z", "X")


def _touched(directory: Path) -> list[float]:
    """When the parts of a stage under way were last written, in seconds since 1970."""
    times = []
    for place in (directory, *directory.glob("round*")):
        for path in (place, place / paths.METRICS, place / paths.CHECKPOINTS):
            try:
                times.append(path.stat().st_mtime)
            except OSError:
                continue
    return times
