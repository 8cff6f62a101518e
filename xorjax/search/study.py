"""The trials of a search in an SQLite file, on which several processes may work, each killed at any moment.

A trial is being run by whoever claims it, and a claim ends with its process. One that is under way without a claim was
interrupted: it is run again, with the same settings, before a new one is drawn.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from xorjax import paths
from xorjax.artifacts.claims import Claimed, alone, claim
from xorjax.artifacts.graph import Stage
from xorjax.config.axes import Axis, Choice, Steps
from xorjax.errors import UserError
from xorjax.metric import Metric

SECONDS_FOR_LOCK = 60
AGAIN = "again"
"""A trial's note of the failed one that it repeats."""
FAILED, REASON, TEST = "failed", "reason", "test_metric"


class DatabaseError(UserError, OSError):
    """The database cannot be read or written: a full disk, or one that may not be written."""


@dataclass(frozen=True)
class Trial:
    """One set of settings: for each key of the space a text."""

    number: int
    settings: dict[str, str]


@dataclass(frozen=True)
class Result:
    """Bits per weight and metrics of a trial's points, means over its seeds. The test metric chooses nothing."""

    bits_per_weight: float
    validation_metric: float
    test_metric: float


@dataclass(frozen=True)
class Finished:
    """A trial and its result."""

    trial: Trial
    result: Result


def database(runs: Path, experiment: str) -> Path:
    return paths.report_dir(runs, experiment) / "search.db"


class Study:
    """The trials of one space, numbered from 0 across all processes."""

    def __init__(
        self, runs: Path, experiment: str, name: str, axes: Mapping[str, Axis], metric: Metric, seed: int = 0
    ):
        """Open the study `name` of the experiment, or begin it; wanted are few bits and a good `metric`.

        Trial n is drawn with a generator of its own, from `seed`, n and the results that are known by then: what one
        process draws does not depend on where it was interrupted.

        Raises:
            DatabaseError: by any method too; what was told before is kept.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._file = database(runs, experiment)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self.runs, self.experiment, self.name, self.axes, self.seed = runs, experiment, name, axes, seed
        self.metric = metric
        best = StudyDirection.MAXIMIZE if metric.higher_is_better else StudyDirection.MINIMIZE
        with self._alone():
            storage = optuna.storages.RDBStorage(
                # A path may hold what has a meaning in a URL.
                URL.create("sqlite", database=str(self._file)).render_as_string(),
                # No connection stays open while a trial runs for minutes.
                engine_kwargs={"connect_args": {"timeout": SECONDS_FOR_LOCK}, "poolclass": NullPool},
            )
            self._study = optuna.create_study(
                storage=storage,
                study_name=name,
                directions=[StudyDirection.MINIMIZE, best],
                load_if_exists=True,
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with alone(self.runs, "search", self.experiment), self._explained():
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, StorageInternalError) as error:
            # Optuna's error has SQLAlchemy's as its cause, and that one SQLite's.
            first = error.__cause__ if isinstance(error, StorageInternalError) else error
            reason = getattr(first, "orig", None) or first
            raise DatabaseError(
                f"{self._file}: {reason}; fix this, then run the same command to resume"
            ) from error

    def repeat_failed(self) -> None:
        """Have the trials whose points failed run again, as new ones; those whose settings contradict are not."""
        with self._alone():
            for trial in self._failed():
                if trial.user_attrs[FAILED] == "points":
                    self._study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})

    @contextmanager
    def next_trial(self, n_trials: int) -> Iterator[Trial | None]:
        """Claim an interrupted trial, or draw a new one while there are fewer than `n_trials`; None: there is none.

        A trial that the block leaves without having told its end stays to be run again.
        """
        with ExitStack() as held:
            with self._alone():
                trial = self._interrupted(held) or self._new(held, n_trials)
                drawn = None if trial is None else Trial(trial.number, self._draw(trial))
            yield drawn

    def _interrupted(self, held: ExitStack) -> optuna.Trial | None:
        for trial in self._trials():
            if trial.state == TrialState.RUNNING:
                with ExitStack() as claimed:
                    try:
                        claimed.enter_context(claim(self.runs, self._claimed(trial.number)))
                    except Claimed:
                        continue
                    # Whoever had it may have told its end before letting go.
                    if self._trials()[trial.number].state != TrialState.RUNNING:
                        continue
                    held.enter_context(claimed.pop_all())
                return optuna.Trial(self._study, trial._trial_id)
        return None

    def _new(self, held: ExitStack, n_trials: int) -> optuna.Trial | None:
        trials = self._trials()
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        if not waiting and self.n_trials >= n_trials:
            return None
        trial = self._study.ask()
        held.enter_context(claim(self.runs, self._claimed(trial.number)))
        return trial

    def _claimed(self, number: int) -> Stage:
        return Stage("search", f"{self.name}-{number}")

    def _draw(self, trial: optuna.Trial) -> dict[str, str]:
        """The settings of a trial; one that was interrupted while they were drawn gets those that it would have got."""
        settings = {}
        for key, axis in self.axes.items():
            self._study.sampler = self._sampler(trial.number, key)
            settings[key] = axis.text(_suggest(trial, key, axis))
        return settings

    def _sampler(self, number: int, key: str) -> optuna.samplers.BaseSampler:
        seed = zlib.crc32(f"{self.seed} {number} {key}".encode())
        # One setting after the other, so that each can have a generator of its own.
        return optuna.samplers.TPESampler(seed=seed, multivariate=False)

    def equal(self, trial: Trial) -> tuple[int, Result] | None:
        """An earlier trial with the same settings, by number, and its result."""
        for other in self.finished():
            if other.trial.settings == trial.settings:
                return other.trial.number, other.result
        return None

    def tell(self, trial: Trial, result: Result) -> None:
        """The trial's end, good."""
        with self._explained():
            self._note(trial, TEST, result.test_metric)
            self._study.tell(trial.number, [result.bits_per_weight, result.validation_metric])

    def refuse(self, trial: Trial, reason: str, *, points: bool) -> None:
        """The trial's end, bad: its points failed, to be tried again one day, or its settings contradict."""
        with self._explained():
            self._note(trial, REASON, reason)
            self._note(trial, FAILED, "points" if points else "settings")
            self._study.tell(trial.number, state=TrialState.FAIL)

    def _note(self, trial: Trial, key: str, value: Any) -> None:
        storage = self._study._storage
        storage.set_trial_user_attr(self._trials()[trial.number]._trial_id, key, value)

    def is_unfinished(self, n_trials: int) -> bool:
        """Whether a trial is left to be run: fewer than `n_trials` are begun, or one of them has no end."""
        going = (TrialState.RUNNING, TrialState.WAITING)
        return self.n_trials < n_trials or any(trial.state in going for trial in self._trials())

    @property
    def n_trials(self) -> int:
        """All trials begun; one that is repeated counts once."""
        return sum(AGAIN not in trial.user_attrs for trial in self._trials())

    def finished(self) -> list[Finished]:
        """The trials with a result, by number."""
        return [self._finished(trial) for trial in self._trials() if trial.state == TrialState.COMPLETE]

    def front(self) -> list[Finished]:
        """Those that no other beats in both bits and validation metric, fewest bits first; equal settings once."""
        with self._explained():
            best_trials = self._study.best_trials
        best = {str(f.trial.settings): f for f in map(self._finished, reversed(best_trials))}
        return sorted(best.values(), key=lambda f: f.result.bits_per_weight)

    def reasons(self) -> dict[int, str]:
        """Why trials have no result, by number; of one that is repeated the repetition tells."""
        return {trial.number: trial.user_attrs[REASON] for trial in self._failed()}

    def _failed(self) -> list[FrozenTrial]:
        """The trials that failed and are not repeated."""
        trials = self._trials()
        repeated = {trial.user_attrs.get(AGAIN) for trial in trials}
        return [t for t in trials if t.state == TrialState.FAIL and t.number not in repeated]

    def _finished(self, trial: FrozenTrial) -> Finished:
        bits, validation = trial.values
        settings = {key: axis.text(trial.params[key]) for key, axis in self.axes.items()}
        return Finished(Trial(trial.number, settings), Result(bits, validation, trial.user_attrs[TEST]))

    def _trials(self) -> Sequence[FrozenTrial]:
        with self._explained():
            return self._study.get_trials(deepcopy=False)


def _suggest(trial: optuna.Trial, key: str, axis: Axis) -> Any:
    if isinstance(axis, Choice):
        return trial.suggest_categorical(key, axis.values)
    if isinstance(axis, Steps):
        suggest = trial.suggest_int if isinstance(axis.step, int) else trial.suggest_float
        return suggest(key, axis.low, axis.high, step=axis.step)  # pyright: ignore[reportArgumentType]
    suggest = trial.suggest_int if isinstance(axis.low, int) else trial.suggest_float
    return suggest(key, axis.low, axis.high, log=True)  # pyright: ignore[reportArgumentType]
