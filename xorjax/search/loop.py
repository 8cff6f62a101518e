"""Trial after trial: draw settings, run their points, tell the study."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Protocol, runtime_checkable

from rich.console import Console

from xorjax.config.axes import Axis
from xorjax.config.schema import Config
from xorjax.errors import UserError
from xorjax.metric import Metric
from xorjax.pipeline.sweep import Job, Outcome, read_data
from xorjax.search.study import Result, Study, Trial, database
from xorjax.streams import bits_over_layers


@runtime_checkable
class Space(Protocol):
    """What `xorjax.config.space` reads from the command line."""

    name: str
    runs: Path
    experiment: str
    metric: Metric
    axes: dict[str, Axis]
    data: list[Config]

    def points(self, values: Mapping[str, str]) -> Sequence[tuple[Config, str]]:
        """The points of a trial and their commands; UserError, in sentences, where settings contradict."""
        ...


def search(
    space: Space,
    n_trials: int,
    run: Callable[[list[Job]], list[Outcome]],
    console: Console,
) -> tuple[Study, list[Outcome]]:
    """Run trials until the study has `n_trials`, those that were interrupted or failed before first.

    Args:
        space: what is searched.
        n_trials: of the study, those of earlier commands included.
        run: runs the points of a trial.
        console: where the trials are told.

    Returns:
        The study, and the points of this command that failed.

    Raises:
        DataError: a data set that is still needed is missing or damaged.
    """
    if not database(space.runs, space.experiment).exists():
        _read_all(space.data)  # before anything is made
    study = Study(space.runs, space.experiment, space.name, space.axes, space.metric)
    study.repeat_failed()
    if study.is_unfinished(n_trials):
        _read_all(space.data)
    failures: list[Outcome] = []
    while True:
        with study.next_trial(n_trials) as trial:
            if trial is None:
                break
            console.print(f"trial {trial.number + 1} of {n_trials}: {describe(trial)}", markup=False)
            if known := study.equal(trial):
                number, result = known
                study.tell(trial, result)
                console.print(f"  as trial {number + 1}: {_figures(result, space.metric)}", markup=False)
                continue
            try:
                jobs = [Job(*point) for point in space.points(trial.settings)]
            except UserError as error:
                study.refuse(trial, str(error), points=False)
                console.print(f"  cannot be: {error}", markup=False)
                continue
            outcomes = run(jobs)
            failed = [outcome for outcome in outcomes if outcome.status == "failed"]
            failures += failed
            if failed:
                study.refuse(trial, failed[0].error or "", points=True)
            elif all(outcome.status == "ok" for outcome in outcomes):
                result = mean_result(outcomes)
                study.tell(trial, result)
                console.print(f"  {_figures(result, space.metric)}", markup=False)
            left = any(outcome.status == "left" for outcome in outcomes)
            if left or (failed and jobs[0].config.sweep.on_error == "stop"):
                break
    return study, failures


def _read_all(data: Sequence[Config]) -> None:
    for config in data:
        read_data(config.task, config.data)


def mean_result(outcomes: Sequence[Outcome]) -> Result:
    """Of the points of one trial, which differ by seed: bits over all layers in their own code, and metrics."""
    points = [[row for row in outcome.rows if not row["baseline"]] for outcome in outcomes]
    return Result(
        fmean(bits_over_layers(rows) for rows in points),
        fmean(rows[0]["validation_metric"] for rows in points),
        fmean(rows[0]["test_metric"] for rows in points),
    )


def describe(trial: Trial) -> str:
    """The settings of a trial as on a command line."""
    return " ".join(f"{key}={text}" for key, text in trial.settings.items())


def _figures(result: Result, metric: Metric) -> str:
    text = metric.text(result.validation_metric)
    return f"{result.bits_per_weight:.4f} bits/weight, validation {metric.name} {text}"
