"""A run directory watched for a page: what is new since the page last asked."""

import json
import secrets
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
        self._life = secrets.token_hex(4)

    def answer(self, name: str | None, since: str | None) -> tuple[str, bytes | None]:
        """A token of what there is now, and the page's data as JSON; None if it equals what the token `since` is of.

        The data hold all of the experiment `name`, or else of the one in which something last happened.
        """
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
        token = f"{self._life}.{hash((head, told)) & 0xFFFFFFFF:08x}"
        return (
            token,
            None if since == token else f'{head[:-1]},"token":"{token}","experiment":{told}}}'.encode(),
        )

    def report(self, name: str) -> Path | None:
        """The directory of an experiment's report, None of what is none."""
        with self._lock:
            self._list()
            return self.experiments[name].report if name in self.experiments else None

    def _list(self) -> None:
        plans = (self.runs / "reports").glob("*/plan.json")
        reports = {path.parent.name: path.parent for path in plans}
        known = self.experiments
        self.experiments = {
            name: known.get(name) or Experiment(report, self._run) for name, report in reports.items()
        }

    def _look(self, first: str | None) -> None:
        self._run.look()
        self._list()
        limit = FILES_A_LOOK
        for name in sorted(self.experiments, key=lambda name: (name != first, name)):
            limit -= self.experiments[name].look(limit)
