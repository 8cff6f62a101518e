"""One experiment as the page shows it: its points, its stages, who is at work, what failed, the time left."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.dashboard.blocked import blocked
from xorjax.dashboard.curves import curves, told_apart
from xorjax.dashboard.log import BEGAN
from xorjax.dashboard.planned import NOTHING, Stage, read_planned
from xorjax.dashboard.points import PointFiles, Result
from xorjax.dashboard.stages import RunDirectory, Work
from xorjax.dashboard.values import UnreadableError
from xorjax.estimate import seconds_left
from xorjax.metric import ACCURACY, Metric

SHOWN_FAILURES = 50
SHOWN_EVENTS = 12
_ASKED_FOR_SECONDS = 20
MEASURED = ("validation", "test", "reference_validation", "reference_test", "dense_test")
_OF_RESULT = (
    *("prune_rate", "seed", "mask_codec", "bits", "seconds", "time", "n_validation", "n_test"),
    *MEASURED,
)


class Experiment:
    """What is known of one experiment. `version` counts the looks that found something new.

    `points` and `states` are what the page was told of each point and stage, with the version at which it last
    changed; `whole_since` is the version at which the plan did.
    """

    def __init__(self, report: Path, run: RunDirectory):
        self.name = report.name
        self.report = report
        self.run = run
        self.plan = NOTHING
        self.error: str | None = None
        self.version = self.whole_since = 0
        self.points: list[tuple[int, dict[str, Any]]] = []
        self.states: list[tuple[int, tuple[str, str]]] = []
        self.header: dict[str, Any] = {}
        self._files = PointFiles(report / "points")
        self._plan_seen: tuple[int, int, int] | None = None
        self._told: object = None
        self._open: list[tuple[Stage, Work]] = []

    def look(self, limit: int) -> int:
        """Read what is new, of point files at most `limit`; returns how many of these were read."""
        self._look_at_plan()
        n_read = self._files.look(self.plan.points, limit)
        if self._inputs() != self._told:
            self._tell()
            self._told = self._inputs()
        return n_read

    @property
    def active(self) -> float:
        """When something last happened, in seconds since 1970."""
        plan = self._plan_seen[0] / 1e9 if self._plan_seen else 0.0
        events = self.header.get("events") or [{}]
        works = (work.seen or 0.0 for _, work in self._open)
        return max(plan, self._files.changed, events[0].get("time") or 0.0, *works)

    @property
    def overview(self) -> dict[str, Any]:
        """Its line in the list of experiments."""
        counts, working = self.header.get("counts", {}), self.header.get("working", ())
        n_working = sum(work["state"] == "running" for work in working)
        return {
            "name": self.name,
            "points": len(self.plan.points),
            "ok": counts.get("ok", 0),
            "failed": counts.get("failed", 0) + counts.get("unreadable", 0),
            "working": n_working,
            "active": self.active,
        }

    def _inputs(self) -> object:
        """Differs when there may be something new to tell."""
        works = [self.run.work(stage) for stage, _ in self._open]
        return self.whole_since, self.run.version, self._files.version, self._files.n_unread, works

    def _look_at_plan(self) -> None:
        path = paths.plan_file(self.report)
        try:
            status = path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._plan_seen:
                return
            self._plan_seen = seen
            self.plan, self.error = read_planned(path), None
        except (OSError, UnreadableError) as error:
            self.plan, self.error = NOTHING, str(error)
        self._files.forget_listing()
        self.points, self.states = [], []
        self.version += 1
        self.whole_since = self.version

    def _tell(self) -> None:
        """Work out what the page is to show, and at which version what of it changed."""
        own = [detail.stages for detail in self.plan.details.values()]
        states = blocked(self.plan.stages, [self.run.state(stage) for stage in self.plan.stages], own)
        self._open = [
            (stage, work)
            for stage in self.plan.stages
            if (last := self.run.log.last.get(stage[:2]))
            and last.event in BEGAN
            and not self.run.is_whole(*stage[:2])
            and (work := self.run.work(stage))
        ]
        metric = self._metric()
        points = [self._point(i, point, states, metric) for i, point in enumerate(self.plan.points)]
        titles = told_apart([point["title"] for point in points], lambda i: points[i]["command"].split())
        for point, title in zip(points, titles, strict=True):
            point["title"] = title
        header = self._header(states, points, metric)
        version = self.version + 1
        changed = [
            header != self.header,
            _note(self.points, points, version),
            _note(self.states, states, version),
        ]
        self.header = header
        self.version += any(changed)

    def _metric(self) -> Metric:
        """What the points are judged by: the first one's, or else what is being trained for."""
        results = filter(None, map(self._files.results.get, self.plan.points))
        if found := next((result.metric for result in results if result.metric), None):
            return found
        names = [work.metric for _, work in self._open if work.metric]
        # Its unit is the task's to say, which the rows of results will.
        return Metric(names[0], "", True, 0.0) if names and names[0] != ACCURACY.name else ACCURACY

    def _point(self, i: int, point: str, states: list[tuple[str, str]], metric: Metric) -> dict[str, Any]:
        result, detail = self._files.results.get(point), self.plan.details[point]
        state, note = _state_of_point(result, [states[k] for k in detail.stages])
        value: dict[str, Any] = {"i": i, "id": point, "state": state, "note": note}
        value |= {name: getattr(detail, name) for name in ("stages", "title", "command", "setting")}
        value |= {name: getattr(result, name) if result else None for name in _OF_RESULT}
        if result and result.metric and result.metric != metric:
            # Numbers of two metrics have no place in one column.
            value |= dict.fromkeys(MEASURED)
            value["note"] = f"judged by {result.metric.name}, not by {metric.name}"
        return value

    def _header(
        self, states: list[tuple[str, str]], points: list[dict[str, Any]], metric: Metric
    ) -> dict[str, Any]:
        uses = Counter(stage for point in points for stage in point["stages"])
        return {
            "command": self.plan.command,
            "error": self.error,
            "metric": {**vars(metric), "scale": metric.scale, "label": metric.label},
            "counts": Counter(point["state"] for point in points),
            "reading": self._files.n_unread,
            "kinds": _by_kind(self.plan.stages, states, uses),
            "left": self._time_left(states),
            "working": [
                {
                    **vars(work),
                    "kind": stage.kind,
                    "name": stage.name,
                    "of": stage.epochs,
                    "points": uses[self.plan.stages.index(stage)],
                }
                for stage, work in self._open
            ],
            "failures": self._failures(states, points),
            "curves": curves(self.run, self._open, self.plan, states),
            "events": self._events(),
        }

    def _time_left(self, states: list[tuple[str, str]]) -> float | None:
        """Seconds; None if nobody works, or if too little is known."""
        at_work = [(stage, work) for stage, work in self._open if work.state == "running"]
        workers = len({(work.host, work.pid) for _, work in at_work})
        if not workers:
            return None
        spent: dict[str, float] = defaultdict(float)
        left, done, asked = Counter[str](), Counter[str](), Counter[str]()
        for stage, (state, _) in zip(self.plan.stages, states, strict=True):
            if state not in ("done", "failed", "blocked"):
                left[stage.kind] += max(1, stage.epochs)
            elif state == "done" and asked[stage.kind] < _ASKED_FOR_SECONDS:
                asked[stage.kind] += (stage.kind, stage.name) not in self.run.log.seconds
                if (seconds := self.run.seconds(stage)) is not None:
                    spent[stage.kind] += seconds
                    done[stage.kind] += max(1, stage.epochs)
        finished = set(done)
        for stage, work in at_work:
            left[stage.kind] -= min(work.epochs, max(1, stage.epochs))
            if work.epochs and work.began and work.seen and stage.kind not in finished:
                spent[stage.kind] += max(0.0, work.seen - work.began)
                done[stage.kind] += work.epochs
        trained = {stage.kind for stage in self.plan.stages if stage.epochs}
        seconds = seconds_left(left, done, spent, trained, workers)
        return None if seconds is None else round(seconds, 1)

    def _failures(self, states: list[tuple[str, str]], points: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Points that failed alike together, the newest first."""
        groups: dict[tuple[str, int | None], list[dict[str, Any]]] = {}
        for point in points:
            if point["state"] in ("failed", "unreadable"):
                where = next((k for k in point["stages"] if states[k][0] == "failed"), None)
                groups.setdefault((point["note"], where), []).append(point)
        shown = []
        for (message, where), (first, *others) in groups.items():
            failure = {"message": message, "count": 1 + len(others), "time": first["time"] or 0.0}
            failure |= {name: first[name] for name in ("title", "command")}
            if where is None:
                failure["directory"] = str(paths.point_file(self.report, first["id"]))
            else:
                kind, name, _ = self.plan.stages[where]
                failure["directory"] = str(paths.partial_dir(self.run.runs, kind, name))
                failure["time"] = self.run.log.last[kind, name].time or 0.0
            shown.append(failure)
        return sorted(shown, key=lambda failure: -failure["time"])[:SHOWN_FAILURES]

    def _events(self) -> list[dict[str, Any]]:
        """What happened last to its stages, the newest first."""
        own = {stage[:2] for stage in self.plan.stages}
        recent = [event for event in self.run.log.recent if (event.kind, event.name) in own]
        return [vars(event) for event in reversed(recent[-SHOWN_EVENTS:])]


def _note(known: list[tuple[int, Any]], news: Sequence[Any], version: int) -> bool:
    """Put what differs from `known` into it, with the version; returns whether anything did."""
    different = [i for i, new in enumerate(news) if i >= len(known) or known[i][1] != new]
    for i in different:
        known[i : i + 1] = [(version, news[i])]
    return bool(different)


def _state_of_point(result: Result | None, stages: list[tuple[str, str]]) -> tuple[str, str]:
    """A point's state and why. One that is ok stays so; a failed one runs while a stage of it is made again."""
    following = next((stage for stage in stages if stage[0] != "done"), None)
    running = any(state == "running" for state, _ in stages)
    if result and result.status == "ok":
        return "ok", ""
    if running:
        return "running", ""
    if result:
        return result.status, result.error or ""
    if failed := next((stage for stage in stages if stage[0] == "failed"), None):
        return failed
    if following and following[0] == "stopped":
        return following
    return "waiting", following[1] if following else ""


def _by_kind(
    stages: tuple[Stage, ...], states: list[tuple[str, str]], uses: Counter[int]
) -> list[dict[str, Any]]:
    """The stages of each kind counted by state; `uses` is how many there would be if points shared none."""
    kinds: dict[str, Counter[str]] = {}
    for i, (stage, (state, _)) in enumerate(zip(stages, states, strict=True)):
        counts = kinds.setdefault(stage.kind, Counter())
        counts[state] += 1
        counts["all"] += 1
        counts["uses"] += uses[i]
    return [{"kind": kind, **counts} for kind, counts in kinds.items()]
