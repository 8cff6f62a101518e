"""What a stage is made from and where, the one argument of all stages; and the arrays that it leaves to the next.

These are groups in one file of an artifact: "params/fc1/kernel", "state/bn1/mean", "masks/fc1/kernel", ...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from xorjax import paths
from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.graph import Stage
from xorjax.config.reads import view
from xorjax.config.schema import Config
from xorjax.params import Masks, Params, State
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


def join(**groups: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """All arrays of the groups under "<group>/<path>"; those that are None are left out."""
    return {
        f"{group}/{path}": np.asarray(value)
        for group, arrays in groups.items()
        for path, value in arrays.items()
        if value is not None
    }


def group(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays of one group by path."""
    start = f"{name}/"
    return {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}


def load_trained(artifact: Artifact, file: str = paths.ARRAYS) -> tuple[Params, State]:
    """The parameters and the model's state that a stage left."""
    arrays = artifact.arrays(file)
    params, state = (
        {path: jnp.asarray(value) for path, value in group(arrays, name).items()}
        for name in ("params", "state")
    )
    return params, state


def load_masks(artifact: Artifact, params: Params) -> Masks:
    """The masks that a stage left: None for every parameter without one."""
    masks = group(artifact.arrays(), "masks")
    return {path: jnp.asarray(masks[path]) if path in masks else None for path in params}
