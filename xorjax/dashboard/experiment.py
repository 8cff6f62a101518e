"""One experiment as the page shows it: its points, its stages, who is at work, what failed, the time left."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.dashboard.curves import ShownCurve, curve_titles, drawn, told_apart
from xorjax.dashboard.files import UnreadableError, tag_of
from xorjax.dashboard.plan import Plan, Stage, read_plan
from xorjax.dashboard.points import PointFiles, Result
from xorjax.dashboard.stages import RunDirectory, State, Work, blocked
from xorjax.estimate import seconds_left

SHOWN_FAILURES = 50
SHOWN_EVENTS = 12
SHOWN_RUNNING = 8
SHOWN_FINISHED = 4
LONGEST_BREAK = 5.0
"""Seconds: between two stages nothing runs either, for a moment."""


class Experiment:
    """What is known of one experiment."""

    def __init__(self, report: Path, run: RunDirectory):
        self.report = report
        self.run = run
        self.plan = Plan()
        self.error: str | None = None
        self._planned: tuple[str | None, float] = "", 0.0
        self._files = PointFiles(report / "points")
        self._known: object = None
        self._open: list[tuple[Stage, Work]] = []
        self._told: dict[str, Any] = {}
        self._curves: list[ShownCurve] = []
        self._text: str | None = None

    def look(self, limit: int) -> int:
        """Read what is new, of point files at most `limit`; returns how many of these were read."""
        self._look_at_plan()
        n_read = self._files.look(self.plan.points, limit)
        works = [self.run.work(stage) for stage, _ in self._open]
        inputs = self.plan, self.run.version, self._files.results, len(self._files.unread), works
        if inputs != self._known:
            self._known = inputs
            self._tell()
        return n_read

    @property
    def told(self) -> str:
        """What the page shows of it, as JSON."""
        if self._text is None:
            told = self._told | drawn(self._curves)
            self._text = json.dumps(told, separators=(",", ":"), allow_nan=False)
        return self._text

    @property
    def active(self) -> float:
        """When something last happened, in seconds since 1970."""
        times = [self._planned[1], *(event["time"] for event in self._told.get("events", ()))]
        times += [work.seen for _, work in self._open]
        times += [result.time for result in self._files.results.values()]
        return max(filter(None, times), default=0.0)

    @property
    def overview(self) -> dict[str, Any]:
        """Its line in the list of experiments, and `report`, which differs when the report does; None without one."""
        counts = self._told.get("counts", {})
        return {
            "name": self.report.name,
            "points": len(self.plan.points),
            "ok": counts.get("ok", 0),
            "failed": counts.get("failed", 0) + counts.get("unreadable", 0),
            "state": self._state(counts),
            "active": self.active,
            "report": tag_of(self.report / "report.html"),
        }

    def _state(self, counts: dict[str, int]) -> str:
        """ "running", "finished", "stopped" where nobody is at what is left, or "waiting" where none was begun."""
        if any(work.state == "running" for _, work in self._open):
            return "running"
        if not any(counts.get(state) for state in ("running", "stopped", "waiting")):
            return "finished"
        begun = any(stage[:2] in self.run.last for stage in self.plan.stages) or counts.get("stopped")
        return "stopped" if begun and time.time() - self.active > LONGEST_BREAK else "waiting"

    def _look_at_plan(self) -> None:
        path = paths.plan_file(self.report)
        tag = tag_of(path)
        if tag == self._planned[0]:
            return
        try:
            self._planned = tag, path.stat().st_mtime
            self.plan, self.error = read_plan(path), None
        except (OSError, UnreadableError) as error:
            self.plan, self.error = Plan(), str(error)

    def _tell(self) -> None:
        """Work out what the page is to show."""
        stages = self.plan.stages
        own = [point.stages for point in self.plan.points.values()]
        states = blocked(stages, [self.run.state(stage) for stage in stages], own)
        self._open = [(stage, work) for stage in stages if (work := self.run.work(stage))]
        points = [self._point(name, states) for name in self.plan.points]
        titles = told_apart([point["title"] for point in points], lambda i: points[i]["command"].split())
        for point, title in zip(points, titles, strict=True):
            point["title"] = title
        self._told = self._header(states, points) | {
            "points": points,
            "stages": [(*stage[:2], *state) for stage, state in zip(stages, states, strict=True)],
        }
        self._curves, self._text = self._find_curves(states), None

    def _point(self, name: str, states: list[State]) -> dict[str, Any]:
        planned, result = self.plan.points[name], self._files.results.get(name)
        state, note = _state_of_point(result, [states[k] for k in planned.stages])
        when = result.time if result else None
        return {"id": name, "state": state, "note": note, "time": when} | planned._asdict()

    def _header(self, states: list[State], points: list[dict[str, Any]]) -> dict[str, Any]:
        uses = Counter(stage for point in points for stage in point["stages"])
        own = {stage[:2]: i for i, stage in enumerate(self.plan.stages)}
        recent = [event for event in self.run.recent if (event.kind, event.name) in own]
        return {
            "name": self.report.name,
            "command": self.plan.command,
            "error": self.error,
            "counts": Counter(point["state"] for point in points),
            "reading": len(self._files.unread),
            "kinds": _by_kind(self.plan.stages, states, uses),
            "left": self._time_left(states),
            "working": [
                vars(work)
                | {"kind": stage.kind, "name": stage.name, "of": stage.epochs, "points": uses[own[stage[:2]]]}
                for stage, work in self._open
            ],
            "failures": self._failures(states, points),
            "events": [vars(event) for event in reversed(recent[-SHOWN_EVENTS:])],
        }

    def _find_curves(self, states: list[State]) -> list[ShownCurve]:
        """Those of the stages under way and of the last that are whole."""
        order = {stage: i for i, stage in enumerate(self.run.last)}
        states_of = zip(self.plan.stages, states, strict=True)
        whole = [stage for stage, (state, _) in states_of if state == "done" and stage.epochs]
        whole.sort(key=lambda stage: order.get(stage[:2], -1), reverse=True)
        shown = [(stage, work.state) for stage, work in self._open[-SHOWN_RUNNING:]]
        shown += [(stage, "done") for stage in whole[:SHOWN_FINISHED]]
        found = [(stage, state, *self.run.curve(stage, state == "done")) for stage, state in shown]
        found = [each for each in found if each[3]["epoch"]]
        titles = curve_titles([each[0] for each in found], self.plan)
        return [
            ShownCurve(title if state == "done" else f"{title} ({state})", stage.epochs, metric, columns)
            for (stage, state, metric, columns), title in zip(found, titles, strict=True)
        ]

    def _time_left(self, states: list[State]) -> float | None:
        """Seconds; None if nobody works, or if too little is known."""
        at_work = [(stage, work) for stage, work in self._open if work.state == "running"]
        spent: dict[str, float] = defaultdict(float)
        left, done = Counter[str](), Counter[str]()
        for stage, (state, _) in zip(self.plan.stages, states, strict=True):
            if state not in ("done", "failed", "blocked"):
                left[stage.kind] += max(1, stage.epochs)
            elif state == "done" and stage[:2] in self.run.seconds:
                spent[stage.kind] += self.run.seconds[stage[:2]]
                done[stage.kind] += max(1, stage.epochs)
        met = set(done)
        for stage, work in at_work:
            left[stage.kind] -= min(work.epochs, max(1, stage.epochs))
            if work.epochs and work.began and work.seen and stage.kind not in met:
                spent[stage.kind] += max(0.0, work.seen - work.began)
                done[stage.kind] += work.epochs
        trained = {stage.kind for stage in self.plan.stages if stage.epochs}
        workers = len({(work.host, work.pid) for _, work in at_work})
        seconds = seconds_left(left, done, spent, trained, workers) if at_work else None
        return None if seconds is None else round(seconds, 1)

    def _failures(self, states: list[State], points: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Points that failed alike together, the newest first."""
        groups: dict[tuple[str, int | None], list[dict[str, Any]]] = defaultdict(list)
        for point in points:
            if point["state"] in ("failed", "unreadable"):
                where = next((k for k in point["stages"] if states[k][0] == "failed"), None)
                groups[point["note"], where].append(point)
        shown = []
        for (message, where), alike in groups.items():
            place, when = paths.point_file(self.report, alike[0]["id"]), alike[0]["time"]
            if where is not None:
                stage = self.plan.stages[where][:2]
                place, when = paths.partial_dir(self.run.runs, *stage), self.run.last[stage].time
            failure = {"message": message, "count": len(alike), "directory": str(place), "time": when}
            shown.append(failure | {name: alike[0][name] for name in ("title", "command")})
        return sorted(shown, key=lambda failure: -(failure["time"] or 0.0))[:SHOWN_FAILURES]


def _state_of_point(result: Result | None, stages: list[State]) -> State:
    """A point's state and why. One that is ok stays so; a failed one runs while a stage of it is made again."""
    if result and result.status == "ok":
        return "ok", ""
    if any(state == "running" for state, _ in stages):
        return "running", ""
    if result:
        return result.status, result.error
    if failed := next((stage for stage in stages if stage[0] == "failed"), None):
        return failed
    following = next((stage for stage in stages if stage[0] != "done"), ("waiting", ""))
    return following if following[0] == "stopped" else ("waiting", following[1])


def _by_kind(stages: Sequence[Stage], states: list[State], uses: Counter[int]) -> list[dict[str, Any]]:
    """The stages of each kind counted by state; `uses` is how many there would be if points shared none."""
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for i, (stage, (state, _)) in enumerate(zip(stages, states, strict=True)):
        kinds[stage.kind] += Counter({state: 1, "all": 1, "uses": uses[i]})
    return [{"kind": kind, **counts} for kind, counts in kinds.items()]
