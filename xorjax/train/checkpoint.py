"""Checkpoints of a training run by orbax: a tree of arrays and a JSON object, whole or not there.

Orbax writes under a temporary name and renames, and drops the older checkpoint only after that, so one whole
checkpoint survives a kill at any moment. This module alone knows orbax.
"""

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from xorjax.errors import UserError
from xorjax.files import read_record, sha256, write_record

MARGIN = 1 << 20
"""Bytes that must be left on the disk beside a checkpoint's arrays, for what describes them."""


class CheckpointError(UserError, ValueError):
    """A checkpoint is not what was written."""


class Checkpoints:
    """The newest checkpoint in a directory; a context manager."""

    def __init__(self, directory: Path):
        self.directory = directory.absolute()
        self._open()

    def _open(self) -> None:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
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
        """Write a tree of arrays and a JSON object; returns when they are on disk.

        Raises:
            OSError: they do not fit there.
        """
        arrays = jax.tree.map(np.asarray, arrays)
        # Orbax would say so by pages of its threads' errors.
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(arrays))
        if shutil.disk_usage(self.directory).free < needed + MARGIN:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.directory))
        args = ocp.args.Composite(arrays=ocp.args.PyTreeSave(arrays), info=ocp.args.JsonSave(info))
        # In a thread that a Ctrl-C here waits for: orbax's own would report at length that they were left.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(self._manager.save, position, args=args).result()
        write_record(self._sums, {"position": position, "files": self._sha256(position)})

    def restore(self, position: int) -> tuple[dict[str, Any], dict]:
        """The tree (NumPy arrays; named tuples come back as lists or dicts) and the JSON object.

        Raises:
            CheckpointError: they are not what was written.
        """
        self._check(position)
        args = ocp.args.Composite(arrays=ocp.args.PyTreeRestore(), info=ocp.args.JsonRestore())
        try:
            restored = self._manager.restore(position, args=args)
        except Exception as error:
            # Whatever orbax and what lies below it say of files that are not as they should be.
            line = str(error).strip().partition("\n")[0][:200]
            raise CheckpointError(f"checkpoint {position} is damaged: {line}") from error
        return restored["arrays"], restored["info"]

    def clear(self) -> None:
        """Drop all checkpoints."""
        self._manager.close()
        shutil.rmtree(self.directory)
        self._open()

    def _check(self, position: int) -> None:
        """Compare the files with their checksums; a kill may have come before these were written."""
        try:
            record = read_record(self._sums)
        except FileNotFoundError:
            return
        except ValueError as error:
            raise CheckpointError(f"checkpoint {position} is damaged: {self._sums.name}: {error}") from error
        if record["position"] != position:
            return
        found = self._sha256(position)
        for name in sorted(record["files"].keys() | found.keys()):
            if record["files"].get(name) != found.get(name):
                raise CheckpointError(f"checkpoint {position} is damaged: {name}")

    @property
    def _sums(self) -> Path:
        return self.directory / ".sha256.json"

    def _sha256(self, position: int) -> dict[str, str]:
        root = self.directory / str(position)
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): sha256(path) for path in files}
