"""A run directory watched for a page: what is new since the page last asked."""

import json
import threading
from pathlib import Path

from xorjax.dashboard.experiment import Experiment
from xorjax.dashboard.stages import RunDirectory

FILES_A_LOOK = 1000
"""Point files read for one answer, so that thousands of them do not keep it waiting."""


class Watcher:
    """All experiments below `runs`, which need not exist. May be asked by several threads."""

    def __init__(self, runs: Path):
        self.runs = runs
        self.experiments: dict[str, Experiment] = {}
        self._run = RunDirectory(runs)
        self._lock = threading.Lock()

    def answer(self, name: str | None) -> str:
        """The page's data, as JSON: all of the experiment `name`, or else of the one where something last happened."""
        with self._lock:
            self._look(name)
            overviews = sorted(
                (experiment.overview for experiment in self.experiments.values()),
                key=lambda overview: (-overview["active"], overview["name"]),
            )
            if name is None and overviews:
                name = overviews[0]["name"]
            told = self.experiments[name].told if name in self.experiments else "null"
        head = json.dumps({"runs": str(self.runs), "exists": self.runs.is_dir(), "experiments": overviews})
        return f'{head[:-1]},"experiment":{told}}}'

    def report(self, name: str) -> Path | None:
        """The directory of an experiment's report, None of what is none."""
        with self._lock:
            self._list()
            return self.experiments[name].report if name in self.experiments else None

    def _list(self) -> None:
        reports = [plan.parent for plan in (self.runs / "reports").glob("*/plan.json")]
        known = self.experiments
        self.experiments = {
            report.name: known.get(report.name) or Experiment(report, self._run) for report in reports
        }

    def _look(self, first: str | None) -> None:
        self._run.look()
        self._list()
        limit = FILES_A_LOOK
        for name in sorted(self.experiments, key=lambda name: (name != first, name)):
            limit -= self.experiments[name].look(limit)
