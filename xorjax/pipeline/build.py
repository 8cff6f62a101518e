"""What a stage is made from and where: the one argument of all stages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.graph import Stage
from xorjax.config.reads import view
from xorjax.config.schema import Config
from xorjax.pipeline.plan import Plan, reads


@dataclass(frozen=True)
class Build:
    """One stage of a point being made in the directory `work`; `on_epoch` is told each line of its metrics."""

    plan: Plan
    stage: Stage
    needs: Mapping[str, Artifact]
    work: Path
    on_epoch: Callable[[dict], None]

    @cached_property
    def config(self) -> Config:
        """The settings that the stage declares to read; no others can be."""
        return view(self.plan.config, reads(self.stage.kind))

    def upstream(self, stage: Stage) -> Artifact:
        """The artifact of a stage that this one needs."""
        return self.needs[stage.name]
