"""What a person sees of a run: a line for each finished point, the stages being made, the time left, what failed."""

import atexit
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from xorjax import paths
from xorjax.estimate import seconds_left
from xorjax.pipeline.graph import Node
from xorjax.pipeline.plan import Stage
from xorjax.pipeline.stage import Failure

SECONDS_BETWEEN_LINES = 10
"""Where no bar can be drawn (a pipe, a file) an epoch is a line, but no more often than this."""


@dataclass
class _UnderWay:
    """A stage being made: since when, and of its epochs those through now and those that were before."""

    stage: Stage
    began: float
    first: int
    epochs: int

    def __str__(self) -> str:
        epochs = f", epoch {self.epochs} of {self.stage.epochs}" if self.stage.epochs else ""
        return f"{self.stage.kind} {self.stage.name}{epochs}"


class Progress:
    """Counts what is left to do over all points, each shared stage once, and tells how it goes.

    The time left follows from what stages took so far, artifacts of earlier commands included. How far a training is,
    is read from the metrics that it writes, wherever it runs.

    Args:
        graph: all stages.
        found: those that are there, and the seconds that each took.
        commands: the line that runs each point alone.
        n_jobs: how many stages are made at once.
    """

    def __init__(
        self,
        runs: Path,
        graph: Mapping[str, Node],
        found: Mapping[str, float],
        commands: Mapping[str, str],
        n_points: int,
        n_jobs: int,
    ):
        self.runs, self.commands, self.n_points, self.n_jobs = runs, commands, n_points, n_jobs
        self.console = Console(highlight=False, soft_wrap=True)
        self.errors = Console(highlight=False, soft_wrap=True, stderr=True)
        self.n_done = 0
        self._trained = {node.stage.kind for node in graph.values() if node.stage.epochs}
        self._left: set[str] = set()
        self._work_left: Counter[str] = Counter()
        for name, node in graph.items():
            if name not in found:
                self._add(node.stage)
        self._total = max(1, self._work_left.total())
        self._spent: dict[str, float] = {}
        self._done: dict[str, int] = {}
        for name, seconds in found.items():
            self._count(graph[name].stage, seconds)
        self._running: dict[str, _UnderWay] = {}
        self._told = time.monotonic()
        # Its own thread, and the bar's redraw while epochs are counted.
        self._lock = threading.RLock()
        self._closed = threading.Event()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._bar = Bar(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._bar.add_task("", total=self._total, left="")
        self._tell_plan([node.stage for node in graph.values()])
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        # However the program ends, the terminal gets its cursor back.
        atexit.register(self.close)

    def _add(self, stage: Stage) -> None:
        if stage.name not in self._left:
            self._left.add(stage.name)
            self._work_left[stage.kind] += _work(stage)

    def _remove(self, stage: Stage) -> bool:
        if there := stage.name in self._left:
            self._left.remove(stage.name)
            self._work_left[stage.kind] -= _work(stage)
        return there

    def _tell_plan(self, stages: list[Stage]) -> None:
        points = "1 point" if self.n_points == 1 else f"{self.n_points} points"
        jobs = f", {self.n_jobs} at once" if self.n_jobs > 1 else ""
        self.console.print(f"{points}: {_by_kind(stages)}{jobs}")
        if found := [stage for stage in stages if stage.name not in self._left]:
            self.console.print(f"{len(found)} of {len(stages)} stages found: {_by_kind(found)}")
        self._bar.start()

    def begin(self, stage: Stage) -> None:
        """Work on a stage begins."""
        epoch, _ = _read_metrics(paths.partial_dir(self.runs, stage.kind, stage.name))
        if epoch:
            self.console.print(
                f"  {stage.kind} {stage.name} goes on after epoch {epoch} of {stage.epochs}", markup=False
            )
        with self._lock:
            self._running[stage.name] = _UnderWay(stage, time.monotonic(), epoch, epoch)

    def end(self, stage: Stage, seconds: float | None) -> None:
        """Work on a stage is over; `seconds` that it took, None if it was not made."""
        with self._lock:
            work = self._running.pop(stage.name)
            if seconds is not None and self._remove(stage):
                self._count(stage, seconds, work.first)
        self._draw(stage.kind)

    def waiting(self, stage: Stage, holder: str) -> None:
        """Another command is making a stage."""
        self.console.print(
            f"  {stage.kind} {stage.name} is being made by {holder}: waiting for it", markup=False
        )

    def again(self, stage: Stage, reason: str) -> None:
        """A stage that was there is damaged or gone, or its worker died."""
        with self._lock:
            self._add(stage)
        self.errors.print(f"{reason}; {stage.kind} {stage.name} is made again", markup=False)

    def failed(self, node: Node, failure: Failure) -> None:
        """A stage failed: what it said, where it is, how to run it alone, what rests on it."""
        with self._lock:
            self._remove(node.stage)
        n = len(node.points)
        lines = (
            f"error: {node.stage.kind} {node.stage.name}: {failure.error}",
            f"  in {failure.directory}; {n} point{' rests' if n == 1 else 's rest'} on it",
            f"  alone: {self.commands[node.points[0]]}",
        )
        text = failure.traceback if failure.ours else ""
        self.errors.print(text + "\n".join(lines), markup=False)

    def dropped(self, stage: Stage) -> None:
        """A stage will not be made."""
        with self._lock:
            self._remove(stage)

    def hidden(self, report: Path, n: int) -> None:
        """Points of earlier commands that a report no longer shows."""
        if n:
            points = "1 point" if n == 1 else f"{n} points"
            self.console.print(
                f"{report} no longer shows {points} of an earlier command, which brings them back when it is repeated; "
                "report=NAME gives a command a report of its own",
                markup=False,
            )

    def found(self, n: int) -> None:
        """Points that an earlier command finished."""
        self.n_done += n
        if n:
            self.console.print(
                f"[{self.n_done}/{self.n_points}] finished before{self.time_left()}", markup=False
            )

    def stopped(self, failure: Failure) -> None:
        """The command ends before its points."""
        why = (
            "what the system refuses one stage it refuses all" if failure.of_system else "sweep.on_error=stop"
        )
        self.errors.print(f"stopped ({why}): the same command resumes", markup=False)

    def interrupted(self) -> None:
        """Ctrl-C."""
        if state := self._state():
            self.errors.print(f"stopped in {state}", markup=False)

    def point(self, text: str) -> None:
        """After each point."""
        self.n_done += 1
        self._told = time.monotonic()
        self.console.print(f"[{self.n_done}/{self.n_points}] {text}{self.time_left()}", markup=False)

    def _state(self) -> str:
        with self._lock:
            return ", ".join(map(str, self._running.values()))

    def close(self) -> None:
        self._closed.set()
        self._bar.stop()

    def time_left(self) -> str:
        """ ", about 5 min left", or nothing when nothing is left or known."""
        with self._lock:
            if not self._left:
                return ""
            spent, done = dict(self._spent), dict(self._done)
            now = time.monotonic()
            for work in self._running.values():
                if epochs := work.epochs - work.first:
                    kind = work.stage.kind
                    spent[kind] = spent.get(kind, 0.0) + now - work.began
                    done[kind] = done.get(kind, 0) + epochs
            left = seconds_left(self._to_do(), done, spent, self._trained, self.n_jobs)
        if left is None:
            return ""
        left = max(left, 1)
        return f", about {left:.0f} s left" if left < 90 else f", about {left / 60:.0f} min left"

    def _to_do(self) -> Counter[str]:
        """What is left of each kind of stage, without the epochs that are through of those under way."""
        done = Counter[str]()
        for work in self._running.values():
            if work.stage.name in self._left:
                done[work.stage.kind] += min(work.epochs, _work(work.stage))
        return self._work_left - done

    def _count(self, stage: Stage, seconds: float, first: int = 0) -> None:
        self._spent[stage.kind] = self._spent.get(stage.kind, 0.0) + seconds
        self._done[stage.kind] = self._done.get(stage.kind, 0) + max(0, _work(stage) - first)

    def _watch(self) -> None:
        while not self._closed.wait(1.0):
            with self._lock:
                trained = [work for work in self._running.values() if work.stage.epochs]
            for work in trained:
                n, last = _read_metrics(paths.partial_dir(self.runs, work.stage.kind, work.stage.name))
                with self._lock:
                    news = n > work.epochs and work.stage.name in self._running
                    if news:
                        work.epochs = n
                if news:
                    self._tell(f"{work}, validation {last['validation_accuracy']:.2%}")

    def _tell(self, text: str) -> None:
        self._draw(text)
        if not self.console.is_terminal and time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.console.print(f"  {text}{self.time_left()}", markup=False)

    def _draw(self, text: str) -> None:
        with self._lock:
            left = self._to_do().total()
        self._bar.update(
            self._task, completed=self._total - left, description=text, left=self.time_left().lstrip(", ")
        )


def _by_kind(stages: Iterable[Stage]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in Counter(stage.kind for stage in stages).items())


def _work(stage: Stage) -> int:
    """What a stage counts for: its epochs, or one."""
    return max(1, stage.epochs)


def _read_metrics(work: Path) -> tuple[int, dict]:
    """How many epochs a training has written down, and the last one's line; a line being written does not count.

    None of a damaged file, which the training writes anew.
    """
    # Rounds of a mask have theirs apart, and in the end one file for all.
    files = (
        [work / paths.METRICS] if (work / paths.METRICS).exists() else sorted(work.glob(f"*/{paths.METRICS}"))
    )
    lines: list[str] = []
    for file in files:
        with suppress(OSError):
            text = file.read_text(errors="replace")
            lines += text[: text.rfind("\n") + 1].splitlines()
    with suppress(ValueError):
        return (len(lines), json.loads(lines[-1])) if lines else (0, {})
    return 0, {}
