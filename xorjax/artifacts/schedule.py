"""Make stages on an engine, each as soon as the stages that it needs are made.

A goal is several stages; the caller is told when all of them are made. A stage that fails also fails the goals that
depend on it, and no others. While another command makes a stage, this one makes others and waits for it. A stage that
is damaged or gone is made again.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from pathlib import Path

from xorjax import paths
from xorjax.artifacts.artifact import ArtifactError, find, set_aside
from xorjax.artifacts.claims import Claimed
from xorjax.artifacts.events import log_event
from xorjax.artifacts.graph import Node, Stage
from xorjax.artifacts.run import Busy, Failure, Made, run_stage
from xorjax.engines import Engine, WorkerLost

LONGEST_WAIT = 5.0
"""Seconds between two looks at a stage that another command is making."""

MAX_REMAKES = 3
"""How often in one command a stage is made again, or tried again after its worker died."""


class Stopped(Exception):
    """The command ends before its goals: `failure` is why."""

    def __init__(self, failure: Failure):
        self.failure = failure
        super().__init__(failure.error)


class Listener:
    """Is told what happens."""

    def begin(self, stage: Stage) -> None: ...
    def end(self, stage: Stage, seconds: float | None) -> None:
        """`seconds`: what the stage took; None if it was not made."""

    def waiting(self, stage: Stage, holder: str) -> None: ...
    def again(self, stage: Stage, reason: str) -> None: ...
    def failed(self, stage: Stage, failure: Failure, goals: Sequence[str], /) -> None:
        """`goals`: those that rest on it."""

    def dropped(self, stage: Stage) -> None:
        """It will not be made: what it rests on failed."""


class Schedule:
    """One command's stages; `run` makes them.

    Args:
        goals: by id the stages of each, in order; goals may share some, made once. Those of the first goal come first,
            so that goals are reached early and in order.
        runs: the directory of the artifacts.
        finish: called for a goal whose stages are all there. May raise `ArtifactError`: a stage of it is damaged.
        fail: called for a goal whose stage failed.
        on_error: "continue" with the other goals, or "stop".
        look: called at least once a second while stages are made elsewhere.
    """

    def __init__(
        self,
        goals: Mapping[str, Sequence[Node]],
        runs: Path,
        engine: Engine,
        listener: Listener,
        finish: Callable[[str], None],
        fail: Callable[[str, Failure], None],
        on_error: str = "continue",
        look: Callable[[], None] = lambda: None,
    ):
        self.runs, self.engine, self.listener = runs, engine, listener
        self.finish, self.fail, self.on_error, self.look = finish, fail, on_error, look
        self.graph: dict[str, Node] = {}
        self.goals: dict[str, list[str]] = {}  # that rest on each stage
        for goal, nodes in goals.items():
            for node in nodes:
                self.graph.setdefault(node.stage.name, node)
                self.goals.setdefault(node.stage.name, []).append(goal)
        # Of each goal the stages that are not there yet; a goal that is through is not in it.
        self.left = {goal: {node.stage.name for node in nodes} for goal, nodes in goals.items()}
        self.todo: dict[str, Node] = {}  # in the order in which they are to be made
        self.running: dict[str, Node] = {}
        self.futures: dict[Future, Node] = {}
        self.remakes: Counter[str] = Counter()
        self._look_again: dict[str, tuple[float, float]] = {}

    def run(self) -> None:
        """Make everything.

        Raises:
            Stopped: a stage failed and `on_error` says so, or the failure is the system's.
        """
        try:
            for node in self.graph.values():
                if self._is_there(node.stage):
                    self._done(node)
                else:
                    self.todo[node.stage.name] = node
            while self.todo or self.running:
                self._submit()
                self._collect()
        except BaseException:
            self.engine.close(now=True)
            for node in self.running.values():
                # A disk that is full, which may be why it ends, takes no line.
                with suppress(OSError):
                    log_event(self.runs, node.stage, "interrupted")
            raise

    def _submit(self) -> None:
        now = time.monotonic()
        for name, node in list(self.todo.items()):
            if len(self.running) >= self.engine.n_jobs:
                return
            if name not in self.todo:
                continue  # dropped: what another led to in this round
            if any(need.name in self.todo or need.name in self.running for need in node.needs):
                continue
            if self._look_again.get(name, (0.0, 0.0))[0] > now:
                continue
            if name in self._look_again and self._is_there(node.stage):
                del self.todo[name], self._look_again[name]
                self._done(node)
                continue
            del self.todo[name]
            # Known to be running before it is: the serial engine returns when it is through.
            self.running[name] = node
            self.listener.begin(node.stage)
            self.futures[self.engine.submit(run_stage, self.runs, node)] = node

    def _collect(self) -> None:
        if not self.running:
            # All that is left waits for another command.
            soonest = min(
                (self._look_again[name][0] for name in self.todo if name in self._look_again), default=0
            )
            time.sleep(max(0.0, min(soonest - time.monotonic(), LONGEST_WAIT)))
            self.look()
            return
        finished, _ = wait(self.futures, timeout=1.0, return_when=FIRST_COMPLETED)
        self.look()
        for future in finished:
            node = self.futures.pop(future)
            name = node.stage.name
            del self.running[name]
            try:
                result = future.result()
            except WorkerLost as lost:
                self.listener.end(node.stage, None)
                self._lost(node, lost)
                continue
            self.listener.end(node.stage, result.seconds if isinstance(result, Made) else None)
            match result:
                case Made():
                    self._look_again.pop(name, None)
                    self._done(node)
                case Busy(holder):
                    self._wait_for(node, holder)
                case ArtifactError() if result.name == name:
                    self._lost(node, result)
                case ArtifactError():
                    self.todo[name] = node
                    self._make_again(result)
                case Failure():
                    self._failed(node, result)
                case _:
                    raise TypeError(f"{node.stage.kind} {name}: a stage returned {result!r}")

    def _done(self, node: Node) -> None:
        for goal in self.goals[node.stage.name]:
            left = self.left.get(goal)
            if left is None:
                continue
            left.discard(node.stage.name)
            if not left:
                try:
                    self.finish(goal)
                except ArtifactError as error:
                    self._make_again(error)
                else:
                    del self.left[goal]

    def _wait_for(self, node: Node, holder: str) -> None:
        _, pause = self._look_again.get(node.stage.name, (0.0, 0.0))
        if not pause:
            self.listener.waiting(node.stage, holder)
        pause = min(2 * pause or 0.2, LONGEST_WAIT)
        self._look_again[node.stage.name] = (time.monotonic() + pause, pause)
        self.todo[node.stage.name] = node

    def _is_there(self, stage: Stage) -> bool:
        try:
            return find(self.runs, stage) is not None
        except ArtifactError as error:
            self.set_aside(error)
            return False

    def _make_again(self, error: ArtifactError) -> None:
        """A stage that was there is damaged or gone."""
        node = self.graph[error.name]
        self.set_aside(error)
        for goal in self.goals[error.name]:
            if goal in self.left:
                self.left[goal].add(error.name)
        if error.name not in self.todo and error.name not in self.running:
            self._again(node, error)

    def set_aside(self, error: ArtifactError) -> None:
        """Keep a damaged artifact under another name and tell so, unless another command has done that."""
        stage = self.graph[error.name].stage
        with suppress(Claimed):
            if set_aside(self.runs, stage, error):
                self.listener.again(stage, str(error))

    def _lost(self, node: Node, error: Exception) -> None:
        if self._again(node, error):
            self.listener.again(node.stage, str(error))

    def _again(self, node: Node, error: Exception) -> bool:
        """Put the stage back among those to be made, or fail it if that was done too often."""
        stage = node.stage
        self.remakes[stage.name] += 1
        if self.remakes[stage.name] <= MAX_REMAKES:
            self.todo[stage.name] = node
            return True
        log_event(self.runs, stage, "failed", error=str(error))
        directory = paths.partial_dir(self.runs, stage.kind, stage.name)
        self._failed(node, Failure(str(error), str(directory), False, False, "", error))
        return False

    def _failed(self, node: Node, failure: Failure) -> None:
        resting = self.goals[node.stage.name]
        self.listener.failed(node.stage, failure, resting)
        goals = [goal for goal in resting if self.left.pop(goal, None) is not None]
        # Whatever rests on it cannot be made; what other goals need of the rest still is.
        for name, other in list(self.todo.items()):
            if not any(goal in self.left for goal in self.goals[name]):
                del self.todo[name]
                self.listener.dropped(other.stage)
        for goal in goals:
            self.fail(goal, failure)
        if failure.of_system or self.on_error == "stop":
            raise Stopped(failure)
