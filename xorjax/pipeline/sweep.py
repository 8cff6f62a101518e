"""All points of a command: its plan on disk first, the report as they finish, the table at the end."""

import errno
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xorjax import engines, paths
from xorjax.artifacts.artifact import Artifact, ArtifactError, find
from xorjax.artifacts.claims import alone
from xorjax.artifacts.provenance import commit
from xorjax.artifacts.run import Failure, failure_of
from xorjax.artifacts.schedule import Schedule, Stopped
from xorjax.config.schema import Config
from xorjax.data import MissingData
from xorjax.data.config import DataConfig
from xorjax.engines import Engine
from xorjax.pipeline.plan import Plan, make_plan
from xorjax.pipeline.plan_file import write_plan
from xorjax.pipeline.point import fail_point, finish_point, finished_rows, outcome, point_file, titles
from xorjax.pipeline.progress import Progress
from xorjax.pipeline.reports import Reports
from xorjax.pipeline.stage import nodes
from xorjax.pipeline.training import dataset
from xorjax.results.rows import RowError
from xorjax.tasks.task import Task
from xorjax.trackers import open_trackers


class Job(NamedTuple):
    """A point, and the command that runs it alone."""

    config: Config
    command: str


@dataclass(frozen=True)
class Outcome:
    """What became of a point: "ok" with its rows, "failed" with the error, or "left" to a later command.

    A point is left if the command was stopped before it, or by the system in it: a full disk says nothing of a point.

    `ours`: the failure is a bug, not the user's to mend.
    """

    point: str
    status: str
    rows: list[dict]
    error: str | None = None
    ours: bool = False


def run(
    jobs: Sequence[Job],
    command: str,
    engine: Engine | None = None,
    *,
    grow: bool = False,
    reports: Reports | None = None,
) -> list[Outcome]:
    """Run all points, stages that they share once, and build their reports.

    Args:
        jobs: the points, settings checked.
        command: what the user gave.
        engine: what makes the stages; by default this process, one after the other.
        grow: the points are added to those that the report's plan has; else they replace them.
        reports: where the reports are kept up to date by a caller that has more points to come, and concludes them; by
            default they are concluded here.

    Raises:
        OSError: the run directory cannot be written, or was deleted under way.
        DataError: a data set that is still needed is missing or damaged.
    """
    under_way = _Run(jobs, command, engine or engines.Serial(), grow, reports)
    outcomes = under_way.run()
    if reports is None:
        under_way.check_reports()
        under_way.reports.conclude(under_way.progress.console)
    return outcomes


class _Run:
    """One command under way."""

    def __init__(
        self, jobs: Sequence[Job], command: str, engine: Engine, grow: bool, reports: Reports | None
    ):
        self.engine = engine
        self.plans: dict[str, Plan] = {}
        self.commands: dict[str, str] = {}
        for config, own_command in jobs:
            plan = make_plan(config)
            self.plans[plan.point], self.commands[plan.point] = plan, own_command
        self.titles = titles(self.plans)
        first, _ = jobs[0]
        self.runs, self.on_error = Path(first.paths.runs), first.sweep.on_error
        self.outcomes: dict[str, Outcome] = {}
        self.reports = reports or Reports(self.runs)
        # Of each report how many points of earlier commands it no longer shows, and the command that set them.
        self.hidden: dict[Path, tuple[int, str]] = {}
        # Before anything is written: a data set that is missing or damaged fails the command, not each of its points.
        self.unfinished, self.damaged = self._look_for_finished()
        for task, data in {(plan.config.task, plan.config.data) for plan in self.unfinished.values()}:
            read_data(task, data)
        self.trackers = open_trackers(first.trackers, self.runs)
        for name in dict.fromkeys(plan.config.report for plan in self.plans.values()):
            own = {p: plan for p, plan in self.plans.items() if plan.config.report == name}
            report = paths.report_dir(self.runs, name)
            with alone(self.runs, "plan", name):
                self.hidden[report] = write_plan(report, own, self.commands, command, grow)
            self.reports.add(report)

    def run(self) -> list[Outcome]:
        there = _artifacts(self.runs, self.plans.values())
        found = {name: artifact.seconds for name, artifact in there.items()}
        stages = {stage.name: stage for plan in self.plans.values() for stage in plan.stages}
        needed = {stage.name for plan in self.unfinished.values() for stage in plan.stages}
        self.progress = Progress(
            self.runs,
            # What is gone of points that are finished is not made again.
            [stage for name, stage in stages.items() if name in found or name in needed],
            found,
            self.commands,
            len(self.plans),
            self.engine.n_jobs,
        )
        try:
            self.progress.made_at(commit(), Counter(artifact.commit for artifact in there.values()))
            for report, (n, set_by) in self.hidden.items():
                self.progress.hidden(report, n, set_by)
            self.progress.found(len(self.outcomes))
            goals = {point: nodes(plan) for point, plan in self.unfinished.items()}
            schedule = Schedule(
                goals, self.runs, self.engine, self.progress, self._finish, self._fail, self.on_error
            )
            for error in self.damaged:
                schedule.set_aside(error)
            schedule.run()
            self.engine.close()
        except Stopped as stopped:
            self.progress.stopped(stopped.failure)
        except KeyboardInterrupt:
            self.progress.interrupted()
            raise
        finally:
            self.progress.close()
        return [self.outcomes.get(point, Outcome(point, "left", [])) for point in self.plans]

    def check_reports(self) -> None:
        """Raises FileNotFoundError: what the reports are built from was deleted, finished points with it."""
        for report in self.hidden:
            if not paths.plan_file(report).exists():
                why = "deleted while the command ran; run the same command to rebuild what is gone"
                raise FileNotFoundError(errno.ENOENT, why, str(report))

    def _look_for_finished(self) -> tuple[dict[str, Plan], Collection[ArtifactError]]:
        """The points that are not finished, and what of the others' stages is damaged, each once."""
        unfinished: dict[str, Plan] = {}
        damaged: dict[str, ArtifactError] = {}
        for point, plan in self.plans.items():
            try:
                rows = finished_rows(plan)
            except ArtifactError as error:
                rows = None
                damaged.setdefault(error.name, error)
            if rows is None:
                unfinished[point] = plan
            else:
                self.outcomes[point] = Outcome(point, "ok", rows)
        return unfinished, damaged.values()

    def _finish(self, point: str) -> None:
        plan = self.plans[point]
        try:
            rows = finish_point(plan, self.commands[point])
        except RowError as error:
            # A bug of ours in this point's rows: the other points go on.
            failure = failure_of(error, point_file(plan))
            self.progress.failed(plan.evaluate, failure, (point,))
            self._fail(point, failure)
            if self.on_error == "stop":
                raise Stopped(failure) from error
            return
        self.outcomes[point] = Outcome(point, "ok", rows)
        self.progress.point(f"{self.titles[point]}: {outcome(rows, plan.config.task.metric)}")
        for tracker in self.trackers:
            for row in (row for row in rows if not row["baseline"]):
                tracker.point(point, self.titles[point], row)
        self.reports.update(paths.report_dir(self.runs, plan.config.report))

    def _fail(self, point: str, failure: Failure) -> None:
        plan = self.plans[point]
        status = "left" if failure.of_system else "failed"
        self.outcomes[point] = Outcome(point, status, [], failure.error, failure.ours)
        self.progress.point(
            f"{self.titles[point]}: {'not made' if failure.of_system else 'failed'}: {failure.error}"
        )
        if not failure.of_system:
            fail_point(plan, self.commands[point], failure.error)
            self.reports.update(paths.report_dir(self.runs, plan.config.report))


def read_data(task: Task, data: DataConfig) -> None:
    """Raises DataError: the data set is missing or damaged."""
    try:
        dataset(task, data)
    except MissingData as error:
        raise MissingData(f"{error}; data.dir or XORJAX_DATA says where else it lies") from error


def _artifacts(runs: Path, plans: Iterable[Plan]) -> dict[str, Artifact]:
    """Those that are there, by name; a damaged one is not."""
    there: dict[str, Artifact] = {}
    for plan in plans:
        for stage in plan.stages:
            if stage.name not in there:
                with suppress(ArtifactError):
                    if (artifact := find(runs, stage)) is not None:
                        there[stage.name] = artifact
    return there
