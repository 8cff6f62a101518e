"""All points of a command: its plan on disk first, the report as they finish, the table at the end."""

import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xorjax import engines, paths
from xorjax.config.schema import Config
from xorjax.engines import Engine
from xorjax.files import replacing, write_text
from xorjax.pipeline.artifact import ArtifactError, find
from xorjax.pipeline.claims import alone
from xorjax.pipeline.graph import make_graph
from xorjax.pipeline.inputs import dataset
from xorjax.pipeline.plan import Plan, make_plan
from xorjax.pipeline.point import fail_point, finish_point, finished_rows, outcome, title
from xorjax.pipeline.progress import Progress
from xorjax.pipeline.schedule import Schedule, Stopped
from xorjax.pipeline.stage import Failure
from xorjax.trackers import open_trackers

SECONDS_BETWEEN_REPORTS = 15
SHARE_OF_REPORTS = 0.1
"""Of a command's time at most this share goes into reports, however many points they have."""


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
    summary: bool = True,
) -> list[Outcome]:
    """Run all points, stages that they share once, and build their reports.

    Args:
        jobs: the points, settings checked.
        command: what the user gave.
        engine: what makes the stages; by default this process, one after the other.
        grow: the points are added to those that the report's plan has; else they replace them.
        summary: print the table of the best points at the end.

    Raises:
        OSError: the run directory cannot be written.
        DataError: a data set that is still needed is missing or damaged.
    """
    return _Run(jobs, command, engine or engines.serial(), grow).run(summary)


class _Run:
    """One command under way."""

    def __init__(self, jobs: Sequence[Job], command: str, engine: Engine, grow: bool):
        self.engine = engine
        self.plans: dict[str, Plan] = {}
        self.commands: dict[str, str] = {}
        for config, own_command in jobs:
            plan = make_plan(config)
            self.plans[plan.point], self.commands[plan.point] = plan, own_command
        first = jobs[0][0]
        self.runs, self.on_error = Path(first.paths.runs), first.sweep.on_error
        self.trackers = open_trackers(first.trackers, self.runs)
        self.outcomes: dict[str, Outcome] = {}
        # When each report was last built, and how long that took.
        self.reports: dict[Path, tuple[float, float]] = {}
        for experiment in dict.fromkeys(plan.config.experiment for plan in self.plans.values()):
            own = {p: plan for p, plan in self.plans.items() if plan.config.experiment == experiment}
            report = paths.report_dir(self.runs, experiment)
            with alone(self.runs, "plan", experiment):
                write_plan(report, own, self.commands, command, grow)
            self.reports[report] = (0.0, 0.0)

    def run(self, summary: bool) -> list[Outcome]:
        unfinished, damaged = self._look_for_finished()
        # A damaged data set fails the command here, not each of its points.
        for data in {plan.config.data for plan in unfinished.values()}:
            dataset(data)
        self.progress = Progress(
            self.runs,
            make_graph(self.plans),
            _seconds(self.runs, self.plans.values()),
            self.commands,
            len(self.plans),
            self.engine.n_jobs,
        )
        try:
            self.progress.found(len(self.outcomes))
            schedule = Schedule(
                unfinished, self.runs, self.engine, self.progress, self._finish, self._fail, self.on_error
            )
            for error in damaged:
                schedule.set_aside(error.name, str(error))
            schedule.run()
            self.engine.close()
        except Stopped as stopped:
            self.progress.stopped(stopped.failure)
        except KeyboardInterrupt:
            self.progress.interrupted()
            raise
        finally:
            self.progress.close()
        self._conclude(summary)
        return [self.outcomes.get(point, Outcome(point, "left", [])) for point in self.plans]

    def _look_for_finished(self) -> tuple[dict[str, Plan], list[ArtifactError]]:
        unfinished, damaged = {}, []
        for point, plan in self.plans.items():
            try:
                rows = finished_rows(plan)
            except ArtifactError as error:
                rows = None
                damaged.append(error)
            if rows is None:
                unfinished[point] = plan
            else:
                self.outcomes[point] = Outcome(point, "ok", rows)
        return unfinished, damaged

    def _finish(self, point: str) -> None:
        plan = self.plans[point]
        rows = finish_point(plan, self.commands[point])
        self.outcomes[point] = Outcome(point, "ok", rows)
        self.progress.point(f"{title(plan.config)}: {outcome(rows)}")
        for tracker in self.trackers:
            for row in (row for row in rows if row["n_out"] is not None):
                tracker.point(point, title(plan.config), row)
        self._update_report(plan.config)

    def _fail(self, point: str, failure: Failure) -> None:
        plan = self.plans[point]
        self.outcomes[point] = Outcome(
            point, "left" if failure.of_system else "failed", [], failure.error, failure.ours
        )
        self.progress.point(f"{title(plan.config)}: failed: {failure.error}")
        # A disk that is full takes no record either; the point is not finished, which a missing one says too.
        with suppress(OSError):
            fail_point(plan, self.commands[point], failure.error)
            self._update_report(plan.config)

    def _update_report(self, config: Config) -> None:
        """Rebuild the tables and the report of an experiment, unless that was done a moment ago."""
        report = paths.report_dir(self.runs, config.experiment)
        last, took = self.reports[report]
        began = time.monotonic()
        if began - last > max(SECONDS_BETWEEN_REPORTS, took / SHARE_OF_REPORTS):
            from xorjax.results.report import build_report

            try:
                build_report(report)
            except Exception as error:
                # Days of training do not end for a page that will be built once more at the end.
                self.progress.errors.print(f"warning: no report for now: {error}", markup=False)
            self.reports[report] = (time.monotonic(), time.monotonic() - began)

    def _conclude(self, summary: bool) -> None:
        """The reports whole, the best models beside them, the summary on the terminal."""
        from xorjax.results.collect import read_experiment, tabulate
        from xorjax.results.report import build_report
        from xorjax.results.tables import summarise, summary_table

        for report in self.reports:
            page = build_report(report)
            if not summary:
                continue
            experiment = read_experiment(report)
            best_points = summarise(tabulate(experiment))
            self.progress.console.print(summary_table(best_points))
            files = {point.name: point.compressed for point in experiment.points}
            for best in best_points:
                model = paths.best_model(report, best.prune_rate)
                model.parent.mkdir(exist_ok=True)
                with replacing(model) as temporary:
                    shutil.copyfile(self.runs / files[best.point], temporary)
                self.progress.console.print(f"best model at S = {best.prune_rate:g}: {model}", markup=False)
            self.progress.console.print(f"report: {page}", markup=False)


def write_plan(
    report: Path, plans: Mapping[str, Plan], commands: Mapping[str, str], command: str, grow: bool
) -> None:
    """Write down which points the command will run, and of which stages each is made.

    A command with several points sets what the report shows; one with a single point, or one that lets it grow, adds
    to what is there.
    """
    points = list(plans)
    details = {
        point: {
            "title": title(plan.config),
            "command": commands[point],
            "stages": [(stage.kind, stage.name, stage.epochs) for stage in plan.stages],
        }
        for point, plan in plans.items()
    }
    file = paths.plan_file(report)
    if (grow or len(points) == 1) and file.exists():
        before = json.loads(file.read_text())
        points, command = [*dict.fromkeys([*before["points"], *points])], before["command"]
        known = [(s["kind"], s["name"], s["epochs"]) for s in before.get("stages", ())]
        old = before.get("details", {}).items()
        details = {p: {**d, "stages": [known[i] for i in d["stages"]]} for p, d in old} | details
    stages = {
        stage: i for i, stage in enumerate(dict.fromkeys(s for d in details.values() for s in d["stages"]))
    }
    plan = {
        "experiment": report.name,
        "points": points,
        "command": command,
        "stages": [{"kind": kind, "name": name, "epochs": epochs} for kind, name, epochs in stages],
        "details": {p: {**d, "stages": [stages[stage] for stage in d["stages"]]} for p, d in details.items()},
    }
    write_text(file, json.dumps(plan))


def _seconds(runs: Path, plans: Iterable[Plan]) -> dict[str, float]:
    """What the stages that are there took, by name."""
    seconds: dict[str, float] = {}
    for plan in plans:
        for stage in plan.stages:
            if stage.name not in seconds:
                try:
                    artifact = find(runs, stage)
                except ArtifactError:
                    continue
                if artifact is not None:
                    seconds[stage.name] = artifact.seconds
    return seconds
