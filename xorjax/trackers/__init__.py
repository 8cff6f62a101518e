"""Trackers: programs beside the files of a run that are told of its epochs and points. None is asked for anything.

What training writes (`train/metrics`) and the result rows stay the truth. A tracker repeats them, and one that fails is
told no more of the stage under way: training goes on.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from xorjax.errors import UserError

LIBRARIES = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}
"""The trackers, and the library that each needs."""
POINT_PARAMS = (
    "model",
    "dataset",
    "layer",
    "prune_rate",
    "code",
    "n_in",
    "n_out",
    "method",
    "patch_format",
    "mask_codec",
    "seed",
)
POINT_METRICS = (
    "bits_per_weight",
    "code_bits",
    "patch_bits",
    "index_bits",
    "scale_bits",
    "test_metric",
    "validation_metric",
    "dense_metric",
    "reference_metric",
)
"""The columns of a result row that a point's settings and its results are."""


class TrackerError(UserError, RuntimeError):
    """A tracker that was asked for is not there."""


def of_epoch(row: Mapping[str, Any]) -> dict[str, float]:
    """The values of a line of the metrics, "train_metric" as "train_accuracy" or whatever is measured."""
    return {
        key.replace("metric", row["metric"]): value
        for key, value in row.items()
        if key not in ("epoch", "step", "metric")
    }


def of_point(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """The settings and the results of a result row, those that it has."""
    params = {key: row[key] for key in POINT_PARAMS if row[key] is not None}
    metrics = {
        key.replace("metric", row["metric"]): row[key] for key in POINT_METRICS if row[key] is not None
    }
    return params, metrics


@runtime_checkable
class Tracker(Protocol):
    """Whoever makes a stage opens its tracker there, in whichever process: stages and points are told apart by name."""

    def stage(
        self, kind: str, name: str, params: Mapping[str, Any]
    ) -> AbstractContextManager[Callable[[dict], None]]:
        """Begin or resume a stage, until the block ends.

        Args:
            kind: of the stage, "dense", "prune", ...
            name: of its artifact.
            params: its settings, nested.

        Returns:
            A context with the function to be told each line of the metrics. A training that resumes tells all of them
            again: one of an epoch that the tracker has does nothing.
        """
        ...

    def point(self, point: str, title: str, row: dict) -> None:
        """A point finished; `row` is one of its own result rows, no baseline. Told again, it is replaced."""
        ...


def open_trackers(names: Sequence[str], runs: Path) -> list[Tracker]:
    """The trackers by name, writing below `runs`. Nothing is imported or written yet.

    Raises:
        TrackerError: the library of one is not installed.
    """
    for name in names:
        if find_spec(LIBRARIES[name]) is None:
            raise TrackerError(
                f"the tracker {name} needs {LIBRARIES[name]}, which is not installed: pip install 'xorjax[{name}]'"
            )
    return [_Harmless(name, import_module(f"xorjax.trackers.{name}").create(runs / name)) for name in names]


_warned: set[str] = set()
"""The trackers of which this process has said that they fail."""


class _Harmless:
    """A tracker whose errors are said once and stop nothing."""

    def __init__(self, name: str, tracker: Tracker):
        self.name, self.tracker = name, tracker

    @contextmanager
    def stage(self, kind: str, name: str, params: Mapping[str, Any]) -> Iterator[Callable[[dict], None]]:
        context = self.tracker.stage(kind, name, params)
        begun, told = self._try(context.__enter__)
        works = begun

        def log(row: dict) -> None:
            nonlocal works
            # A locked database makes every call wait: one is enough.
            if works:
                works = self._try(told, row)[0]

        try:
            yield log
        except BaseException as error:
            if begun:
                self._try(context.__exit__, type(error), error, error.__traceback__)
            raise
        if begun:
            self._try(context.__exit__, None, None, None)

    def point(self, point: str, title: str, row: dict) -> None:
        self._try(self.tracker.point, point, title, row)

    def _try(self, call: Callable[..., Any], *arguments: Any) -> tuple[bool, Any]:
        """Whether the call came through, and what it returned."""
        try:
            return True, call(*arguments)
        except Exception as error:
            if self.name not in _warned:
                _warned.add(self.name)
                said = f"{type(error).__name__}: {error}".partition("\n")[0]
                warning = f"warning: the tracker {self.name} failed, the run continues: {said}"
                print(warning, file=sys.stderr, flush=True)
            return False, None
