"""What a person sees of a run: a line for each finished point, the training under way, the time left."""

import atexit
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from xorjax.pipeline.artifact import find
from xorjax.pipeline.plan import Plan, Stage

SECONDS_BETWEEN_LINES = 10
"""Where no bar can be drawn (a pipe, a file) an epoch is a line, but no more often than this."""


class Progress:
    """Counts what is left to do over all points, each shared stage once, and tells how it goes.

    The time left is the epochs that remain, each at the mean of its kind's so far. A kind not met yet is taken to
    cost as much an epoch as the others, a second if it trains nothing.
    """

    def __init__(self, plans: Sequence[Plan], runs: Path, console: Console | None = None):
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.n_points, self.n_done = len(plans), 0
        stages = {stage.name: stage for plan in plans for stage in plan.stages}
        self._left = {name: stage for name, stage in stages.items() if find(runs, stage) is None}
        self._total = max(1, sum(_work(stage) for stage in self._left.values()))
        self._training = {stage.kind for stage in stages.values() if stage.epochs}
        self._spent: dict[str, float] = {}
        self._worked: dict[str, int] = {}
        self._stage: Stage | None = None
        self._began = self._told = time.monotonic()
        self._epochs = 0
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._bar = Bar(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task = self._bar.add_task("", total=self._total, left="")
        self._tell_plan(stages)
        # However the program ends, the terminal gets its cursor back.
        atexit.register(self.close)

    def _tell_plan(self, stages: dict[str, Stage]) -> None:
        kinds = dict.fromkeys(stage.kind for stage in stages.values())
        counts = [(kind, sum(s.kind == kind for s in stages.values())) for kind in kinds]
        what = ", ".join(f"{count} {kind}" for kind, count in counts)
        points = "1 point" if self.n_points == 1 else f"{self.n_points} points"
        found = len(stages) - len(self._left)
        self.console.print(
            f"{points}: {what}" + (f"; {found} of {len(stages)} stages found" if found else "")
        )
        self._bar.start()

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Around the making of one artifact."""
        self._stage, self._epochs, self._began = stage, 0, time.monotonic()
        finished = False
        try:
            yield
            finished = True
        finally:
            # A stage that failed is not tried again in this command.
            if self._left.pop(stage.name, None) and finished:
                seconds = time.monotonic() - self._began
                self._spent[stage.kind] = self._spent.get(stage.kind, 0.0) + seconds
                self._worked[stage.kind] = self._worked.get(stage.kind, 0) + (self._epochs or _work(stage))
            self._stage = None
        self._draw(stage.kind)

    def epoch(self, row: dict) -> None:
        """After each epoch of the stage under way; `row` is its line of metrics."""
        stage = self._stage
        assert stage is not None
        self._epochs += 1
        text = f"{stage.kind} {stage.name}: epoch {row['epoch']}, validation {row['validation_accuracy']:.2%}"
        self._draw(text)
        if not self.console.is_terminal and time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.console.print(f"  {text}{self.time_left()}")

    def point(self, text: str) -> None:
        """After each point."""
        self.n_done += 1
        self._told = time.monotonic()
        self.console.print(f"[{self.n_done}/{self.n_points}] {text}{self.time_left()}", markup=False)

    def close(self) -> None:
        self._bar.stop()

    def time_left(self) -> str:
        """ ", about 5 min left", or nothing when nothing is left or known."""
        if not self._left:
            return ""
        spent, worked = dict(self._spent), dict(self._worked)
        if self._stage is not None and self._epochs:
            kind = self._stage.kind
            spent[kind] = spent.get(kind, 0.0) + time.monotonic() - self._began
            worked[kind] = worked.get(kind, 0) + self._epochs
        if not worked:
            return ""
        rate = {kind: spent[kind] / worked[kind] for kind in worked}
        trained = [kind for kind in worked if kind in self._training]
        epoch = sum(spent[kind] for kind in trained) / max(1, sum(worked[kind] for kind in trained))
        left = sum(
            _work(stage) * rate.get(stage.kind, epoch if stage.epochs else 1.0)
            for stage in self._left.values()
        )
        if self._stage is not None:
            left -= self._epochs * rate.get(self._stage.kind, epoch)
        return f", about {max(left, 1):.0f} s left" if left < 90 else f", about {left / 60:.0f} min left"

    def _draw(self, text: str) -> None:
        done = (
            self._total
            - sum(_work(stage) for stage in self._left.values())
            + self._epochs * bool(self._stage)
        )
        self._bar.update(self._task, completed=done, description=text, left=self.time_left().lstrip(", "))


def _work(stage: Stage) -> int:
    """What a stage counts for: its epochs, or one."""
    return max(1, stage.epochs)
