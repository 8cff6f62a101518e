"""Hydra's way to us for the points of a sweep: it looks for sweepers in the namespace `hydra_plugins` alone."""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from xorjax.config.sweep import expand


class PartsSweeper(Sweeper):
    """Hands the points of all parts over at once.

    Args:
        settings: those of conf/hydra/sweeper, which `expand` reads from the configuration.
    """

    def __init__(self, **settings: Any):
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.loader, self.config = hydra_context.config_loader, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        assert self.launcher is not None
        assert self.config is not None
        return self.launcher.launch(expand(self.loader, self.config), initial_job_idx=0)
