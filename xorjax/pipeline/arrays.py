"""Groups of arrays in one file of an artifact: "params/fc1/kernel", "state/bn1/mean", "masks/fc1/kernel", ..."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from xorjax import paths
from xorjax.artifacts.artifact import Artifact
from xorjax.params import Masks, Params, State


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
    return {key.partition("/")[2]: value for key, value in arrays.items() if key.startswith(f"{name}/")}


def load_params(artifact: Artifact, file: str = paths.ARRAYS) -> Params:
    """The parameters that a stage left."""
    return {path: jnp.asarray(value) for path, value in group(artifact.arrays(file), "params").items()}


def load_state(artifact: Artifact, file: str = paths.ARRAYS) -> State:
    """The model's state that a stage left."""
    return {path: jnp.asarray(value) for path, value in group(artifact.arrays(file), "state").items()}


def load_masks(artifact: Artifact, params: Params) -> Masks:
    """The masks that a stage left: None for every parameter without one."""
    masks = group(artifact.arrays(), "masks")
    return {path: jnp.asarray(masks[path]) if path in masks else None for path in params}
