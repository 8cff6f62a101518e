"""A small space without Hydra, and runs of its points without a pipeline."""

from dataclasses import replace
from pathlib import Path

from xorjax.config.axes import Choice, Steps
from xorjax.config.schema import Config
from xorjax.errors import UserError
from xorjax.metric import Metric
from xorjax.pipeline.sweep import Job, Outcome
from xorjax.search.study import Result

ACCURACY = Metric("accuracy", "%", higher_is_better=True, tolerance=0.0015)
AXES = {"rate": Steps(0.5, 0.9, 0.01), "n_in": Steps(8, 64, 1), "codec": Choice(("a", "b"))}


def outcome_of(settings: dict[str, str]) -> Result:
    """Few bits and high accuracy contradict."""
    rate, n_in = float(settings["rate"]), int(settings["n_in"])
    bits = 1 - rate + (n_in - 30) ** 2 / 1e4 + (0.1 if settings["codec"] == "b" else 0)
    return Result(bits, 1 - rate**8, 1 - rate**9)


class StubSpace:
    """`codec=bad` cannot be."""

    def __init__(self, runs: Path, axes=AXES, on_error: str = "continue"):
        self.runs, self.experiment, self.name, self.axes = runs, "tiny", "search-0", axes
        self.on_error, self.metric = on_error, ACCURACY
        self.data: list[Config] = []

    def points(self, values):
        if values["codec"] == "bad":
            raise UserError("codec is 'bad'; it must be one of a, b")
        config = replace(Config(), sweep=replace(Config().sweep, on_error=self.on_error))
        return [(config, " ".join(f"{key}={text}" for key, text in values.items()))]


class StubRun:
    """Runs points by formula; `calls` are their settings. The call `number` of `does` does that instead."""

    def __init__(self, does=None):
        self.calls, self.does = [], does or {}

    def __call__(self, jobs: list[Job]) -> list[Outcome]:
        settings = dict(part.split("=") for part in jobs[0].command.split())
        self.calls.append(settings)
        does = self.does.get(len(self.calls))
        if does == "interrupt":
            raise KeyboardInterrupt
        if does is not None:
            return [Outcome("p", does, [], "RuntimeError: a bug", ours=True)]
        result = outcome_of(settings)
        row = {
            "baseline": False,
            "n_weights": 8,
            "bits_per_weight": result.bits_per_weight,
            "validation_metric": result.validation_metric,
            "test_metric": result.test_metric,
        }
        return [Outcome("p", "ok", [row, row | {"baseline": True, "bits_per_weight": 9.0}])]
