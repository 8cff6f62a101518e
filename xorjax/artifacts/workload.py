"""What is left to make of a command's stages, and how long that will take."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xorjax.artifacts.graph import Stage
from xorjax.estimate import seconds_left


@dataclass
class UnderWay:
    """A stage being made: since when, and of its epochs those through now and those that were before."""

    stage: Stage
    began: float
    first: int
    epochs: int

    def __str__(self) -> str:
        epochs = f", epoch {self.epochs} of {self.stage.epochs}" if self.stage.epochs else ""
        return f"{self.stage.kind} {self.stage.name}{epochs}"


class Workload:
    """Counts the epochs that are left, each shared stage once; a stage without any counts as one.

    The time left follows from what stages took so far, artifacts of earlier commands included. May be asked by several
    threads.

    Args:
        stages: all of them.
        found: the seconds that those took which are there, by name.
        n_jobs: how many stages are made at once.
    """

    def __init__(self, stages: Iterable[Stage], found: Mapping[str, float], n_jobs: int):
        self._lock = threading.RLock()
        self._n_jobs = n_jobs
        self._names: set[str] = set()
        self._left: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._spent: dict[str, float] = {}
        self._trained: set[str] = set()
        self._running: dict[str, UnderWay] = {}
        for stage in stages:
            if stage.epochs:
                self._trained.add(stage.kind)
            if stage.name in found:
                self._count(stage, found[stage.name], 0)
            else:
                self.add(stage)
        self.total = self._left.total()

    def __contains__(self, stage: Stage) -> bool:
        return stage.name in self._names

    def add(self, stage: Stage) -> None:
        """It is to be made."""
        with self._lock:
            if stage.name not in self._names:
                self._names.add(stage.name)
                self._left[stage.kind] += _units(stage)

    def remove(self, stage: Stage) -> bool:
        """It will not be made; False if it was not to be."""
        with self._lock:
            if there := stage.name in self._names:
                self._names.remove(stage.name)
                self._left[stage.kind] -= _units(stage)
            return there

    def begin(self, stage: Stage, epochs: int) -> None:
        """Work on it begins, `epochs` of it done by an earlier command."""
        with self._lock:
            self._running[stage.name] = UnderWay(stage, time.monotonic(), epochs, epochs)

    def reach(self, stage: Stage, epochs: int) -> UnderWay | None:
        """So many of its epochs are through; None if that is no news."""
        with self._lock:
            work = self._running.get(stage.name)
            if work is None or epochs <= work.epochs:
                return None
            work.epochs = epochs
            return work

    def end(self, stage: Stage, seconds: float | None) -> None:
        """Work on it is over; `seconds` that it took, None if it was not made."""
        with self._lock:
            work = self._running.pop(stage.name)
            if seconds is not None and self.remove(stage):
                self._count(stage, seconds, work.first)

    @property
    def running(self) -> list[UnderWay]:
        with self._lock:
            return list(self._running.values())

    @property
    def left(self) -> int:
        """Of `total`, without the epochs that are through of the stages under way."""
        with self._lock:
            return self._to_do().total()

    @property
    def seconds_left(self) -> float | None:
        """0 when nothing is left; None if nothing is known."""
        with self._lock:
            if not self._names:
                return 0.0
            spent, done = dict(self._spent), dict(self._done)
            now = time.monotonic()
            for work in self._running.values():
                if epochs := work.epochs - work.first:
                    kind = work.stage.kind
                    spent[kind] = spent.get(kind, 0.0) + now - work.began
                    done[kind] = done.get(kind, 0) + epochs
            return seconds_left(self._to_do(), done, spent, self._trained, self._n_jobs)

    def _to_do(self) -> Counter[str]:
        done = Counter[str]()
        for work in self._running.values():
            if work.stage.name in self._names:
                done[work.stage.kind] += min(work.epochs, _units(work.stage))
        return self._left - done

    def _count(self, stage: Stage, seconds: float, first: int) -> None:
        self._spent[stage.kind] = self._spent.get(stage.kind, 0.0) + seconds
        self._done[stage.kind] += max(0, _units(stage) - first)


def _units(stage: Stage) -> int:
    return max(1, stage.epochs)
