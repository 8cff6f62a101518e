"""Checkpoints of a training run by orbax: a tree of arrays and a JSON object, whole or not there.

Orbax writes under a temporary name and renames, and drops the older checkpoint only after that, so one whole
checkpoint survives a kill at any moment. This module alone knows orbax.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp


class Checkpoints:
    """The newest checkpoint in a directory; a context manager."""

    def __init__(self, directory: Path):
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self.directory = directory.absolute()
        self._manager = ocp.CheckpointManager(self.directory, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._manager.close()

    @property
    def latest(self) -> int | None:
        """The position of the newest whole checkpoint, if there is one."""
        return self._manager.latest_step()

    def save(self, position: int, arrays: dict[str, Any], info: dict) -> None:
        """Write a tree of arrays and a JSON object; returns when they are on disk."""
        args = ocp.args.Composite(
            arrays=ocp.args.PyTreeSave(jax.tree.map(np.asarray, arrays)), info=ocp.args.JsonSave(info)
        )
        self._manager.save(position, args=args)

    def restore(self, position: int) -> tuple[dict[str, Any], dict]:
        """The tree (NumPy arrays; named tuples come back as lists or dicts) and the JSON object."""
        args = ocp.args.Composite(arrays=ocp.args.PyTreeRestore(), info=ocp.args.JsonRestore())
        restored = self._manager.restore(position, args=args)
        return restored["arrays"], restored["info"]
