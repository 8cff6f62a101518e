"""Hydra's way to us for a sweep: it looks for launchers in the namespace `hydra_plugins`, and nowhere else."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from xorjax.config.errors import ConfigError
from xorjax.config.sweep import launch_points


class StageLauncher(Launcher):
    """Hands all points over at once, so that the stages that they share are made once, on `engine`.

    Args:
        engine: what makes stages: a class of `xorjax.engines`, by name, and its arguments.
    """

    def __init__(self, engine: Any):
        self.engine = engine

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader, self.config = hydra_context.config_loader, config
        if size := config.hydra.sweeper.get("max_batch_size"):
            raise ConfigError(
                [
                    f"hydra.sweeper.max_batch_size is {size}; it must be null: what the points share is made once, and "
                    "their report is one; hydra.launcher.engine says how many stages are made at once"
                ]
            )

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        points = [self.loader.load_sweep_config(self.config, list(overrides)) for overrides in job_overrides]
        launch_points([(cfg, cfg.hydra) for cfg in points], _run, self.engine)
        return []


def _run(*arguments: Any) -> Sequence[Any]:
    # Hydra imports this module whatever it is asked. And Ray, which forks, starts before there are threads.
    from xorjax.pipeline.sweep import run

    return run(*arguments)
