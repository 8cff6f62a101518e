"""A sweep small enough for the default suite: all stages on a thousand real digits, two rates and two shapes."""

from dataclasses import replace
from pathlib import Path

from xorjax.codec.xor import XorCode
from xorjax.config.schema import (
    Config,
    DataConfig,
    OptimConfig,
    PathsConfig,
    PruneConfig,
    QuantizeConfig,
    ScheduleConfig,
)
from xorjax.engines import Engine
from xorjax.pipeline.sweep import Job, Outcome, run

ROOT = Path(__file__).parents[2]
ONE_EPOCH = OptimConfig(epochs=1, batch_size=100, learning_rate=2e-3)


def tiny(tmp: Path, **changes) -> Config:
    """The settings of one point; nothing of the checkout's own cache is touched."""
    config = Config(
        report="tiny",
        freeze=("conv*",),
        data=DataConfig("mnist", str(ROOT / "data"), str(ROOT / ".cache"), 1000, 500, 500),
        optim=replace(ONE_EPOCH, epochs=2),
        prune=PruneConfig(
            rate=0.8, schedule=ScheduleConfig("linear", 0.5, 0.8, 2), through=(0.9,), optim=ONE_EPOCH
        ),
        quantize=QuantizeConfig(scale="tensor", optim=ONE_EPOCH),
        code=XorCode(n_in=12, patch_format="blocked"),
        paths=PathsConfig(str(ROOT), str(tmp / "runs")),
    )
    return replace(config, **changes)


def points(tmp: Path) -> list[Config]:
    base = tiny(tmp)
    return [
        replace(base, prune=replace(base.prune, rate=rate), code=replace(base.code, n_in=n_in))
        for rate in (0.8, 0.9)
        for n_in in (12, 20)
    ]


def run_sweep(configs: list[Config], engine: Engine | None = None) -> list[Outcome]:
    jobs = [
        Job(config, f"tests S={config.prune.rate} n_in={getattr(config.code, 'n_in', None)}")
        for config in configs
    ]
    return run(jobs, "tests", engine)
