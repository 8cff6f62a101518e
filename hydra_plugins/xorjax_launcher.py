"""Hydra's way to us for a sweep: it looks for launchers in the namespace `hydra_plugins`, and nowhere else."""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from xorjax.config.sweep import launch_points


class StageLauncher(Launcher):
    """Hands all points over at once, so that the stages that they share are made once, on `engine`.

    Args:
        engine: what makes stages: a function of `xorjax.engines`, by name, and its arguments.
    """

    def __init__(self, engine: Any):
        self.engine = engine

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader, self.config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        points = [self.loader.load_sweep_config(self.config, list(overrides)) for overrides in job_overrides]
        launch_points([(cfg, cfg.hydra) for cfg in points], self.engine)
        return []
