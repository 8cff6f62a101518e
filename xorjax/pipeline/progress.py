"""What a person sees of a run: a line for each finished point, the stages being made, the time left, what failed."""

import atexit
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from xorjax import paths
from xorjax.artifacts.graph import Stage
from xorjax.artifacts.run import Failure
from xorjax.artifacts.schedule import Listener
from xorjax.artifacts.workload import Workload
from xorjax.estimate import duration
from xorjax.metric import Metric
from xorjax.tasks.task import TASKS

SECONDS_BETWEEN_LINES = 10
"""Where no bar can be drawn (a pipe, a file) an epoch is a line, but no more often than this."""


class Progress(Listener):
    """Tells how the stages of all points go. How far a training is, is read from the metrics that it writes, wherever
    it runs.

    Args:
        stages: all of them.
        found: those that are there, and the seconds that each took.
        commands: the line that runs each point alone.
        n_jobs: how many stages are made at once.
    """

    def __init__(
        self,
        runs: Path,
        stages: Sequence[Stage],
        found: Mapping[str, float],
        commands: Mapping[str, str],
        n_points: int,
        n_jobs: int,
    ):
        self.runs, self.commands, self.n_points, self.n_jobs = runs, commands, n_points, n_jobs
        self.console = Console(highlight=False, soft_wrap=True)
        self.errors = Console(highlight=False, soft_wrap=True, stderr=True)
        self.n_done = 0
        self._work = Workload(stages, found, n_jobs)
        self._told = time.monotonic()
        self._closed = threading.Event()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._bar = Bar(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._bar.add_task("", total=max(1, self._work.total), left="")
        self._tell_plan(stages)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        # However the program ends, the terminal gets its cursor back.
        atexit.register(self.close)

    def _tell_plan(self, stages: Sequence[Stage]) -> None:
        jobs = f", {self.n_jobs} at once" if self.n_jobs > 1 else ""
        self.console.print(f"{_points(self.n_points)}: {_by_kind(stages)}{jobs}")
        if found := [stage for stage in stages if stage not in self._work]:
            self.console.print(f"{len(found)} of {len(stages)} stages found: {_by_kind(found)}")
        self._bar.start()

    def made_at(self, now: str, commits: Mapping[str, int]) -> None:
        """How many of the stages that are there each commit made; `now` is the one that runs."""
        others = {commit: n for commit, n in commits.items() if commit != now}
        if others:
            listed = ", ".join(f"{n} at {commit or 'none'}" for commit, n in others.items())
            self.console.print(
                f"stages that other code made, by commit: {listed}; this is {now or 'none'}", markup=False
            )

    def begin(self, stage: Stage) -> None:
        """Work on a stage begins."""
        epoch, _ = _read_metrics(paths.partial_dir(self.runs, stage.kind, stage.name))
        if epoch:
            self.console.print(
                f"  {stage.kind} {stage.name} resumes after epoch {epoch} of {stage.epochs}", markup=False
            )
        self._work.begin(stage, epoch)

    def end(self, stage: Stage, seconds: float | None) -> None:
        """Work on a stage is over; `seconds` that it took, None if it was not made."""
        self._work.end(stage, seconds)
        self._draw(stage.kind)

    def waiting(self, stage: Stage, holder: str) -> None:
        """Another command is making a stage."""
        self.console.print(
            f"  {stage.kind} {stage.name} is being made by {holder}; waiting for it", markup=False
        )

    def again(self, stage: Stage, reason: str) -> None:
        """A stage that was there is damaged or gone, or its worker died."""
        self._work.add(stage)
        self.errors.print(f"{reason}; rebuilding {stage.kind} {stage.name}", markup=False)

    def failed(self, stage: Stage, failure: Failure, points: Sequence[str]) -> None:
        """A stage failed: what it said, where it is, how to run it alone, what rests on it."""
        self._work.remove(stage)
        lines = (
            f"error: {stage.kind} {stage.name}: {failure.error}",
            f"  in {failure.directory}; used by {_points(len(points))}",
            f"  to run it alone: {self.commands[points[0]]}",
        )
        text = failure.traceback if failure.ours else ""
        self.errors.print(text + "\n".join(lines), markup=False)

    def dropped(self, stage: Stage) -> None:
        """A stage will not be made."""
        self._work.remove(stage)

    def hidden(self, report: Path, n: int, set_by: str) -> None:
        """Points that a report no longer shows, and the command that set them."""
        if n:
            self.console.print(
                f"{report} no longer shows {_points(n)} of an earlier command; to bring them back: {set_by}\n"
                "(report=NAME gives a command a report of its own)",
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
        why = "a system error, which would meet every stage" if failure.of_system else "sweep.on_error=stop"
        self.errors.print(f"stopped: {why}; run the same command to resume", markup=False)

    def interrupted(self) -> None:
        """Ctrl-C."""
        if state := ", ".join(map(str, self._work.running)):
            self.errors.print(f"stopped in {state}", markup=False)

    def point(self, text: str) -> None:
        """After each point."""
        self.n_done += 1
        self._told = time.monotonic()
        self.console.print(f"[{self.n_done}/{self.n_points}] {text}{self.time_left()}", markup=False)

    def close(self) -> None:
        self._closed.set()
        self._bar.stop()

    def time_left(self) -> str:
        """ ", about 5 min left", or nothing when nothing is left or known."""
        left = self._work.seconds_left
        if not left:
            return ""
        return f", about {duration(max(left, 1))} left"

    def _watch(self) -> None:
        while not self._closed.wait(1.0):
            for work in self._work.running:
                if not work.stage.epochs:
                    continue
                n, last = _read_metrics(paths.partial_dir(self.runs, work.stage.kind, work.stage.name))
                if news := self._work.reach(work.stage, n):
                    metric = metric_called(last["metric"])
                    self._tell(f"{news}, validation {metric.text(last['validation_metric'])}")

    def _tell(self, text: str) -> None:
        self._draw(text)
        if not self.console.is_terminal and time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.console.print(f"  {text}{self.time_left()}", markup=False)

    def _draw(self, text: str) -> None:
        completed = self._work.total - self._work.left
        self._bar.update(
            self._task, completed=completed, description=text, left=self.time_left().lstrip(", ")
        )


def metric_called(name: str) -> Metric:
    """The metric of a line by its name; of a task that is no more there, a plain number."""
    known = (task.metric for task in TASKS.values())
    return next((metric for metric in known if metric.name == name), Metric(name, "", True, 0.0))


def _points(n: int) -> str:
    return "1 point" if n == 1 else f"{n} points"


def _by_kind(stages: Iterable[Stage]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in Counter(stage.kind for stage in stages).items())


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
