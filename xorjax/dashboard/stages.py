"""The state of every stage of a run directory, from its log, its directories and the processes of this host."""

import os
import socket
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.dashboard.files import Listing, Tail, is_name, number, seconds_of, text
from xorjax.dashboard.plan import Stage
from xorjax.metric import ACCURACY, Metric

SILENCE = 300.0
"""Seconds without activity after which work on another host counts as stopped."""

BEGAN = ("made", "resumed")
_RECENT = 400
_CURVES_KEPT = 64
_LONGEST_CURVE = 400
_COLUMNS = ("epoch", "validation_metric", "validation_loss", "train_loss")

State = tuple[str, str]
"""A state, and a note that says why."""
Metrics = list[dict[str, Any]]


@dataclass(frozen=True)
class Event:
    """A line of the log. `time` in seconds since 1970; `message` says why, where it is one of trouble."""

    time: float | None
    event: str
    kind: str
    name: str
    host: str | None
    pid: int | None
    seconds: float | None
    message: str | None


@dataclass(frozen=True)
class Work:
    """A stage that somebody began and that is not whole.

    `state` is "running", or "stopped" with a `note` that says why. `began` and `seen`, the last sign of life, are
    seconds since 1970; `epochs` counts those done, `validation` is what was measured after the last.
    """

    state: str
    note: str
    host: str | None
    pid: int | None
    began: float | None
    seen: float | None
    epochs: int
    validation: str


class RunDirectory:
    """What all experiments below `runs` share; stages are named by (kind, name)."""

    def __init__(self, runs: Path):
        self.runs = runs
        self._host = socket.gethostname()
        self._log = Tail(paths.stage_log(runs))
        self._log_version = 0
        self._listings: dict[str, Listing] = {}
        self._whole: set[tuple[str, str]] = set()
        self._tails: dict[Path, tuple[Tail, Metrics]] = {}
        self._forget_log()

    def _forget_log(self) -> None:
        self.last: dict[tuple[str, str], Event] = {}
        """What happened to each stage last, in the order in which it happened."""
        self.recent: deque[Event] = deque(maxlen=_RECENT)
        self.seconds: dict[tuple[str, str], float] = {}
        """What each stage took that was finished."""

    @property
    def version(self) -> tuple[object, ...]:
        """Differs when the log or a directory of artifacts has changed."""
        return (self._log_version, *(listing.names for listing in self._listings.values()))

    def look(self) -> None:
        """Read what is new. The log first: what it says is finished is then found whole."""
        void, records = self._log.read()
        if void:
            self._forget_log()
        for event in filter(None, map(_event, records)):
            stage = (event.kind, event.name)
            self.last.pop(stage, None)
            self.last[stage] = event
            self.recent.append(event)
            if event.seconds is not None:
                self.seconds[stage] = event.seconds
        self._log_version += bool(void or records)
        for listing in self._listings.values():
            listing.look()

    def is_whole(self, kind: str, name: str) -> bool:
        """Whether the artifact is there, with the file that is written last."""
        if kind not in self._listings:
            self._listings[kind] = Listing(self.runs / kind)
        if name not in self._listings[kind].names:
            self._whole.discard((kind, name))
        elif (kind, name) not in self._whole and self._has_record(kind, name):
            self._whole.add((kind, name))
        return (kind, name) in self._whole

    def _has_record(self, kind: str, name: str) -> bool:
        return (paths.artifact_dir(self.runs, kind, name) / paths.ARTIFACT).exists()

    def state(self, stage: Stage) -> State:
        """ "done", "running", "failed", "stopped" or "waiting"."""
        kind, name, _ = stage
        if self.is_whole(kind, name):
            return "done", ""
        last = self.last.get((kind, name))
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
        """Who is at a stage that was begun; None if nobody is, it has just become whole, or the log begun anew."""
        last = self.last.get(stage[:2])
        if last is None or last.event not in BEGAN or self.is_whole(*stage[:2]):
            return None
        directory = paths.partial_dir(self.runs, stage.kind, stage.name)
        seen = max((sign for sign in (last.time, *_touched(directory)) if sign is not None), default=None)
        state, note = self._is_alive(last, seen)
        if state == "stopped" and self._has_record(stage.kind, stage.name):
            # It ended between the look at the directory and the look at the process.
            return None
        metrics = self._metrics(directory) if stage.epochs or state == "running" else []
        validation = number(metrics[-1].get("validation_metric")) if metrics else None
        said = "" if validation is None else metric_of(metrics).text(validation)
        return Work(state, note, last.host, last.pid, last.time, seen, len(metrics), said)

    def _is_alive(self, last: Event, seen: float | None) -> State:
        if last.host == self._host and last.pid is not None:
            gone = f"process {last.pid} has ended: run the same command to resume"
            return ("running", "") if _exists(last.pid) else ("stopped", gone)
        if seen is None or time.time() - seen > SILENCE:
            where = f" on {last.host}" if last.host else ""
            return "stopped", f"no activity{where} for {SILENCE / 60:.0f} min"
        return "running", ""

    def curve(self, stage: Stage, whole: bool) -> tuple[Metric, dict[str, list[float | None]]]:
        """The metrics of a stage by column; of very many epochs some. And what they measure."""
        place = paths.artifact_dir if whole else paths.partial_dir
        rows = self._metrics(place(self.runs, stage.kind, stage.name))
        rows = [row for row in rows if number(row.get("epoch")) is not None]
        step = max(1, -(-len(rows) // _LONGEST_CURVE))
        kept = rows[::-step][::-1]
        return metric_of(rows), {name: [number(row.get(name)) for row in kept] for name in _COLUMNS}

    def _metrics(self, directory: Path) -> Metrics:
        """The lines of a stage's metrics; while a mask is chosen, those of its rounds one after the other."""
        if rows := self._lines(directory / paths.METRICS):
            return rows
        rows, n_rounds = [], 0
        while part := self._lines(directory / f"round{n_rounds}" / paths.METRICS):
            rows += [{**row, "epoch": i} for i, row in enumerate(part, len(rows) + 1)]
            n_rounds += 1
        return rows

    def _lines(self, path: Path) -> Metrics:
        tail, rows = self._tails.pop(path, None) or (Tail(path), [])
        void, new = tail.read()
        rows = new if void else rows + new
        if rows:
            self._tails[path] = (tail, rows)
            if len(self._tails) > _CURVES_KEPT:
                del self._tails[next(iter(self._tails))]
        return rows


def blocked(stages: Sequence[Stage], states: Sequence[State], points: Sequence[Sequence[int]]) -> list[State]:
    """The states, "blocked" in place of "waiting" where a stage that failed ended all points that need another.

    `points` are the indices of each point's stages.
    """
    found = list(states)
    causes = [next((i for i in own if states[i][0] == "failed"), None) for own in points]
    needed = {i for own, cause in zip(points, causes, strict=True) if cause is None for i in own}
    for own, cause in zip(points, causes, strict=True):
        if cause is not None:
            note = f"blocked by {stages[cause].kind} {stages[cause].name}, which failed"
            for i in own:
                if states[i][0] == "waiting" and i not in needed:
                    found[i] = "blocked", note
    return found


def metric_of(rows: Metrics) -> Metric:
    """What lines of metrics measure. Only the accuracy's unit is known: that of others is their task's to say."""
    name = text(rows[-1].get("metric")) if rows else None
    return Metric(name, "", True, 0.0) if name and name != ACCURACY.name else ACCURACY


def _event(record: dict[str, Any]) -> Event | None:
    kind, name, event = record.get("stage"), record.get("name"), text(record.get("event"))
    if not (is_name(kind) and is_name(name) and event):
        return None
    pid = record.get("pid")
    return Event(
        seconds_of(record.get("time")),
        event,
        kind,
        name,
        text(record.get("host")),
        pid if isinstance(pid, int) and 0 < pid < 2**31 else None,
        number(record.get("seconds")),
        next((message for key in ("error", "reason") if (message := text(record.get(key)))), None),
    )


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
            with suppress(OSError):
                times.append(path.stat().st_mtime)
    return times
