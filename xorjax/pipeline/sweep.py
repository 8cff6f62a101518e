"""Around the points of a command: its plan on disk first, the report as they finish, the table at the end."""

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from xorjax import paths
from xorjax.config.schema import Config
from xorjax.files import replacing, write_text
from xorjax.pipeline.artifact import find
from xorjax.pipeline.inputs import dataset
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.progress import Progress

SECONDS_BETWEEN_REPORTS = 15

_progress: Progress | None = None
_reports: dict[Path, float] = {}
"""The reports of this command, and when each was last built."""


def start(configs: Sequence[Config], command: str) -> None:
    """Before the first point: write down which points the command will run, all of them valid by now.

    A command with several points sets what the report shows; one with a single point adds it to what is there.

    Raises:
        OSError: the run directory cannot be written.
        DataError: a data set that is still needed is missing or damaged.
    """
    global _progress
    _reports.clear()
    for experiment in dict.fromkeys(config.experiment for config in configs):
        own = [config for config in configs if config.experiment == experiment]
        report = paths.report_dir(Path(own[0].paths.runs), experiment)
        _write_plan(
            report, experiment, list(dict.fromkeys(make_plan(config).point for config in own)), command
        )
        _reports[report] = 0.0
    plans = [make_plan(config) for config in configs]
    runs = Path(configs[0].paths.runs)
    # A damaged data set fails the command here, not each of its points.
    for data in {plan.config.data for plan in plans if find(runs, plan.evaluate) is None}:
        dataset(data)
    _progress = Progress(plans, runs)


def progress(config: Config, command: str) -> Progress:
    """The command's progress; a point run without `start` gets one of its own."""
    if _progress is None:
        start([config], command)
    assert _progress is not None
    return _progress


def update_report(config: Config) -> None:
    """Rebuild the tables and the report of a point's experiment, unless that was done a moment ago."""
    report = paths.report_dir(Path(config.paths.runs), config.experiment)
    if time.monotonic() - _reports.get(report, 0.0) > SECONDS_BETWEEN_REPORTS:
        from xorjax.results.report import build_report

        build_report(report)
        _reports[report] = time.monotonic()


def finish() -> None:
    """After the last point: the reports whole, the summary on the terminal."""
    global _progress
    if _progress is None:
        return
    from xorjax.results.collect import read_experiment, tabulate
    from xorjax.results.report import build_report
    from xorjax.results.tables import summarise, summary_table

    _progress.close()
    for report in _reports:
        page = build_report(report)
        experiment = read_experiment(report)
        summary = summarise(tabulate(experiment))
        _progress.console.print(summary_table(summary))
        files = {point.name: point.compressed for point in experiment.points}
        for best in summary:
            model = paths.best_model(report, best.prune_rate)
            model.parent.mkdir(exist_ok=True)
            with replacing(model) as temporary:
                shutil.copyfile(report.parent.parent / files[best.point], temporary)
            _progress.console.print(f"best model at S = {best.prune_rate:g}: {model}")
        _progress.console.print(f"report: {page}")
    _progress = None


def _write_plan(report: Path, experiment: str, points: list[str], command: str) -> None:
    file = paths.plan_file(report)
    if len(points) == 1 and file.exists():
        before = json.loads(file.read_text())
        points, command = [*dict.fromkeys([*before["points"], *points])], before["command"]
    write_text(file, json.dumps({"experiment": experiment, "points": points, "command": command}, indent=1))
