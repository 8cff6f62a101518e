"""A run directory as the pipeline leaves it at some moment, written by hand."""

import json
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

KINDS = {"dense": 4, "prune": 2, "quantize": 2, "encode": 0, "evaluate": 0}
SHARED = ("dense", "prune", "quantize")


class RunFiles:
    """Writes the files of one experiment: `n` points that share all stages but encode and evaluate."""

    def __init__(self, runs: Path, n: int = 2, experiment: str = "sweep"):
        self.runs = runs
        self.report = runs / "reports" / experiment
        self.points = [f"evaluate{i}-{experiment}" for i in range(n)]
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def plan(self) -> None:
        stages, details = [{"kind": kind, "name": f"{kind}-a", "epochs": KINDS[kind]} for kind in SHARED], {}
        for i, point in enumerate(self.points):
            own = {"encode": point.replace("evaluate", "encode"), "evaluate": point}
            stages += [{"kind": kind, "name": name, "epochs": 0} for kind, name in own.items()]
            title = f"S 0.9, n_in 20, n_out {200 + i}, seed 0"
            needs = [0, 1, 2, 3 + 2 * i, 4 + 2 * i]
            details[point] = {"title": title, "command": f"run {point}", "stages": needs}
        plan = {"experiment": self.report.name, "command": "run all", "points": self.points}
        self.write(self.report / "plan.json", plan | {"stages": stages, "details": details})

    def replan(self, change: Callable[[dict[str, Any]], object]) -> None:
        """The plan as `change` leaves it."""
        record = json.loads((self.report / "plan.json").read_text())
        change(record)
        self.write(self.report / "plan.json", record)

    def event(self, event: str, kind: str, name: str, **more: object) -> None:
        self.now += timedelta(seconds=1)
        line = {"time": self.now.isoformat(), "event": event, "stage": kind, "name": name}
        line |= {"host": socket.gethostname(), "pid": os.getpid()} | more
        self.runs.mkdir(parents=True, exist_ok=True)
        with (self.runs / "stages.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")

    def begin(self, kind: str, name: str, **more: object) -> Path:
        self.event("made", kind, name, **more)
        directory = self.runs / kind / f"{name}.partial"
        directory.mkdir(parents=True)
        return directory

    def epochs(self, directory: Path, *numbers: int, torn: bool = False) -> None:
        directory.mkdir(exist_ok=True)
        with (directory / "metrics.jsonl").open("a") as file:
            for epoch in numbers:
                line = {"epoch": epoch, "train_loss": 1 / epoch, "validation_loss": 1 / epoch}
                line |= {"validation_metric": 1 - 0.1 / epoch, "metric": "accuracy"}
                file.write(json.dumps(line) + "\n")
            file.write('{"epoch": 99, "train_l' * torn)

    def finish(self, kind: str, name: str, seconds: float = 2.0) -> None:
        whole = self.runs / kind / name
        partial = whole.with_name(f"{name}.partial")
        self.write(partial / "artifact.json", {})
        partial.rename(whole)
        self.event("finished", kind, name, seconds=seconds)

    def make(self, kind: str, name: str, seconds: float = 2.0) -> None:
        self.epochs(self.begin(kind, name), *range(1, KINDS[kind] + 1))
        self.finish(kind, name, seconds)

    def make_shared(self) -> None:
        for kind in SHARED:
            self.make(kind, f"{kind}-a")

    def make_point(self, i: int) -> None:
        self.make("encode", f"encode{i}-{self.report.name}")
        self.make("evaluate", self.points[i])
        self.point(i)

    def point(self, i: int, status: str = "ok", error: str | None = None) -> None:
        record = {"point": self.points[i], "status": status, "rows": [], "error": error}
        self.write(self.report / "points" / f"{self.points[i]}.json", record)

    def fail(self, kind: str, name: str, error: str) -> None:
        self.begin(kind, name)
        self.event("failed", kind, name, error=error)

    def write(self, path: Path, record: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(json.dumps(record))
        temporary.replace(path)
