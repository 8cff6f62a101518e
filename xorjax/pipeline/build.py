"""What a stage is made from and where: the one argument of all stages."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xorjax import paths
from xorjax.config.reads import view
from xorjax.config.schema import Config
from xorjax.pipeline.artifact import Artifact, ArtifactError, find
from xorjax.pipeline.plan import Plan, Stage, reads


@dataclass(frozen=True)
class Build:
    """One stage of a point being made in the directory `work`; `on_epoch` is told each line of its metrics."""

    plan: Plan
    stage: Stage
    runs: Path
    work: Path
    on_epoch: Callable[[dict], None]

    @cached_property
    def config(self) -> Config:
        """The settings that the stage declares to read; no others can be."""
        return view(self.plan.config, reads(self.stage.kind))

    def upstream(self, stage: Stage) -> Artifact:
        """The artifact of a stage that this one needs."""
        return existing(self.runs, stage)


def existing(runs: Path, stage: Stage) -> Artifact:
    """The artifact of a stage that has been made.

    Raises:
        ArtifactError: it is gone, or not whole.
    """
    if (artifact := find(runs, stage)) is None:
        raise ArtifactError(
            stage.name, f"{paths.artifact_dir(runs, stage.kind, stage.name)}: the directory is gone"
        )
    return artifact
