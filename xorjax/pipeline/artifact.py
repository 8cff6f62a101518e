"""Artifacts on disk: made under a temporary name, renamed when whole, found by name ever after."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from xorjax import paths
from xorjax.files import sync, write_text
from xorjax.pipeline.plan import Stage
from xorjax.pipeline.provenance import provenance


class ArtifactError(ValueError):
    """An artifact on disk is not what was written."""


@dataclass(frozen=True)
class Artifact:
    """A whole artifact: its directory, what its stage says of it, the SHA-256 of each file, who made it."""

    directory: Path
    summary: dict[str, Any]
    files: dict[str, str]
    commit: str

    def path(self, file: str) -> Path:
        """The path of one of its files.

        Raises:
            ArtifactError: the file is missing or not as it was written.
        """
        path = self.directory / file
        if not path.is_file() or _sha256(path) != self.files[file]:
            raise ArtifactError(
                f"{path}: the file is missing or damaged; delete {self.directory} to have it made again"
            )
        return path

    def arrays(self, file: str = paths.ARRAYS) -> dict[str, np.ndarray]:
        """The arrays of one of its files, by name."""
        return safetensors.numpy.load_file(self.path(file))


def find(runs: Path, stage: Stage) -> Artifact | None:
    """The artifact of `stage`, or None if it has not been made or is not whole.

    Raises:
        ArtifactError: what is there cannot be read.
    """
    directory = paths.artifact_dir(runs, stage.kind, stage.name)
    file = directory / paths.ARTIFACT
    if not file.exists():
        return None
    try:
        record = json.loads(file.read_text())
        return Artifact(directory, record["summary"], record["files"], record["provenance"]["commit"])
    except (ValueError, KeyError) as error:
        raise ArtifactError(f"{file}: not readable; delete {directory} to have it made again") from error


def make(runs: Path, stage: Stage, build: Callable[[Path], dict[str, Any]]) -> Artifact:
    """Find the artifact of `stage`, or make it: `build` fills a directory and returns the summary.

    A directory left by a build that was interrupted is handed to the next, which may resume from it.
    """
    if found := find(runs, stage):
        _log(runs, stage, "found")
        return found
    directory = paths.artifact_dir(runs, stage.kind, stage.name)
    if directory.exists():
        raise ArtifactError(
            f"{directory}: {paths.ARTIFACT} is missing; delete the directory to have it made again"
        )
    work = paths.partial_dir(runs, stage.kind, stage.name)
    _log(runs, stage, "resumed" if work.exists() else "made")
    work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    summary = build(work)
    files = sorted(file for file in work.iterdir() if file.is_file() and not file.name.startswith("."))
    record = {
        "stage": stage.kind,
        "name": stage.name,
        "summary": summary,
        "seconds": round(time.perf_counter() - began, 3),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {file.name: _sha256(file) for file in files},
        "provenance": provenance(),
    }
    for file in files:
        sync(file)
    write_text(work / paths.ARTIFACT, json.dumps(record, indent=1))
    os.replace(work, directory)
    sync(directory.parent)
    for checkpoints in list(directory.rglob(paths.CHECKPOINTS)):
        shutil.rmtree(checkpoints, ignore_errors=True)
    return Artifact(directory, summary, record["files"], record["provenance"]["commit"])


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name as one safetensors file."""
    safetensors.numpy.save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)


def _log(runs: Path, stage: Stage, event: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"time": now, "event": event, "stage": stage.kind, "name": stage.name})
    runs.mkdir(parents=True, exist_ok=True)
    with paths.stage_log(runs).open("a") as log:
        log.write(line + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
