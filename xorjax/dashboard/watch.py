"""A run directory watched for a page: what is new since the page last asked."""

import json
import secrets
import threading
from pathlib import Path
from typing import Any

from xorjax.dashboard.curves import drawn
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

        The data hold of the experiment `name`, or else of the one in which something last happened, the points and
        states of stages that changed after `since`; all of them if it is not a token of this experiment and plan.
        """
        with self._lock:
            self._look(name)
            overviews = sorted(
                (experiment.overview for experiment in self.experiments.values()),
                key=lambda overview: (-overview["active"], overview["name"]),
            )
            if name is None and overviews:
                name = overviews[0]["name"]
            chosen = self.experiments.get(name or "")
            head = {"runs": str(self.runs), "exists": self.runs.is_dir(), "experiments": overviews}
            about = f"{self._life}.{name}" if chosen else self._life
            version = chosen.version if chosen else 0
            token = f"{about}.{version}.{hash(json.dumps(head)) & 0xFFFFFFFF:08x}"
            if since == token:
                return token, None
            head["experiment"] = _news(chosen, _version_of(since, about)) if chosen else None
            head["token"] = token
            return token, json.dumps(head, separators=(",", ":"), allow_nan=False).encode()

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


def _news(experiment: Experiment, since: int) -> dict[str, Any]:
    whole = since < experiment.whole_since
    if whole:
        since = -1
    news = {
        "name": experiment.report.name,
        "whole": whole,
        "points": [point for version, point in experiment.points if version > since],
        "states": [(i, *state) for i, (version, state) in enumerate(experiment.states) if version > since],
        **experiment.header,
    }
    if whole:
        news["stages"] = [stage[:2] for stage in experiment.plan.stages]
    if experiment.curves_since > since:
        news |= drawn(experiment.curves)
    return news


def _version_of(token: str | None, about: str) -> int:
    """The version in a token of an earlier answer on the same experiment, else -1."""
    if token is None or not token.startswith(f"{about}."):
        return -1
    version = token[len(about) + 1 :].partition(".")[0]
    return int(version) if version.isdecimal() else -1
