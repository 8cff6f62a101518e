"""Artifacts on disk: made under a temporary name, renamed when whole, found by name ever after."""

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from xorjax import paths
from xorjax.artifacts.claims import claim
from xorjax.artifacts.events import log_event
from xorjax.artifacts.graph import Node, Stage
from xorjax.artifacts.provenance import provenance
from xorjax.errors import UserError
from xorjax.files import naming, read_record, record_sha256, sha256, sync, write_record


class ArtifactError(UserError, ValueError):
    """An artifact on disk is not what was written, or no longer there.

    Attributes:
        name: its stage's.
        found: the `identity` of the artifact that was looked at; None if it had none that could be read.
    """

    def __init__(self, name: str, message: str, found: str | None = None):
        self.name, self.message, self.found = name, message, found
        super().__init__(name, message, found)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Artifact:
    """A whole artifact.

    Attributes:
        directory: where it is.
        summary: what its stage says of it.
        files: the SHA-256 of each file, by its path from `directory`.
        made_from: the `digest` of each artifact that it was made from, by name; None if it was not noted.
        commit: what code made it.
        seconds: how long that took.
        identity: tells it from the same artifact made again.
    """

    directory: Path
    summary: dict[str, Any]
    files: dict[str, str]
    made_from: dict[str, str] | None
    commit: str
    seconds: float
    identity: str
    _arrays: dict[str, dict[str, np.ndarray]] = field(default_factory=dict, compare=False, repr=False)

    def __hash__(self) -> int:
        return hash(self.directory)

    @property
    def digest(self) -> str:
        """What tells it from an artifact of the same name with other content."""
        return record_sha256(self.files)

    def path(self, file: str) -> Path:
        """The path of one of its files.

        Raises:
            ArtifactError: the file is missing or not as it was written.
        """
        path = self.directory / file
        try:
            whole = sha256(path) == self.files[file]
        except FileNotFoundError:
            whole = False
        if not whole:
            raise self.error(f"{path}: the file is missing or damaged")
        return path

    def error(self, message: str) -> ArtifactError:
        """What is wrong with this artifact."""
        return ArtifactError(self.directory.name, message, self.identity)

    def arrays(self, file: str = paths.ARRAYS) -> dict[str, np.ndarray]:
        """The arrays of one of its files, by name, not to be written to: they are read and checked once, and held.

        Raises:
            ArtifactError: as `path`.
        """
        if file not in self._arrays:
            path = self.path(file)
            try:
                arrays = safetensors.numpy.load_file(path)
            except FileNotFoundError:
                raise self.error(f"{path}: the file is gone") from None
            for array in arrays.values():
                array.flags.writeable = False
            self._arrays[file] = arrays
        return dict(self._arrays[file])

    def check(self) -> None:
        """Look at every file.

        Raises:
            ArtifactError: as `path`.
        """
        for file in self.files:
            self.path(file)


def find(runs: Path, stage: Stage) -> Artifact | None:
    """The artifact of `stage`, or None if it has not been made. Its files are looked at when they are used.

    Raises:
        ArtifactError: what is there is not whole.
    """
    directory = paths.artifact_dir(runs, stage.kind, stage.name)
    # In this order: the directory appears with the file in it.
    if not directory.exists():
        return None
    try:
        return read_artifact(directory)
    except ArtifactError:
        if not directory.exists():
            return None  # set aside this very moment
        raise


def existing(runs: Path, stage: Stage) -> Artifact:
    """The artifact of a stage that has been made.

    Raises:
        ArtifactError: it is gone, or not whole.
    """
    if artifact := find(runs, stage):
        return artifact
    directory = paths.artifact_dir(runs, stage.kind, stage.name)
    raise ArtifactError(stage.name, f"{directory}: the directory is gone")


def read_artifact(directory: Path) -> Artifact:
    """What is in the directory of an artifact. Its files are looked at when they are used.

    Raises:
        ArtifactError: it is not whole.
    """
    file = directory / paths.ARTIFACT
    try:
        record = read_record(file)
        return Artifact(
            directory,
            record["summary"],
            record["files"],
            record.get("made_from"),
            record["provenance"]["commit"],
            record["seconds"],
            record_sha256(record),
        )
    except FileNotFoundError:
        raise ArtifactError(directory.name, f"{file}: the file is missing") from None
    except (ValueError, KeyError) as error:
        raise ArtifactError(directory.name, f"{file}: the file is damaged ({error})") from error


def make(runs: Path, node: Node, needs: Mapping[str, Artifact]) -> Artifact:
    """Find the artifact of a node's stage, or make it from those that it needs, by name.

    A directory left by a build that was interrupted is handed to the next, which may resume from it.

    Raises:
        Claimed: another process is making it.
    """
    stage = node.stage
    with claim(runs, stage):
        if found := find(runs, stage):
            log_event(runs, stage, "found")
            return found
        work = paths.partial_dir(runs, stage.kind, stage.name)
        log_event(runs, stage, "resumed" if work.exists() else "made")
        work.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        summary = node.build(work, needs, *node.args)
        seconds = round(time.perf_counter() - began, 3)
        # A record is that of a build that was killed before its directory was renamed: it is written anew.
        files = {
            file.name: file
            for file in sorted(work.iterdir())
            if file.is_file() and not file.name.startswith(".") and file.name != paths.ARTIFACT
        }
        directory = paths.artifact_dir(runs, stage.kind, stage.name)
        files |= {os.path.relpath(file, directory): file for file in node.outside}
        for file in files.values():
            sync(file)
        write_record(work / paths.ARTIFACT, _record(stage, summary, seconds, files, needs))
        os.replace(work, directory)
        sync(directory.parent)
        for checkpoints in list(directory.rglob(paths.CHECKPOINTS)):
            shutil.rmtree(checkpoints, ignore_errors=True)
        log_event(runs, stage, "finished", seconds=seconds)
    return existing(runs, stage)


def _record(stage: Stage, summary: dict, seconds: float, files: Mapping, needs: Mapping) -> dict[str, Any]:
    return {
        "stage": stage.kind,
        "name": stage.name,
        "summary": summary,
        "seconds": seconds,
        "made": datetime.now(UTC).isoformat(timespec="microseconds"),
        "files": {name: sha256(file) for name, file in files.items()},
        "made_from": {name: artifact.digest for name, artifact in needs.items()},
        "provenance": provenance(),
    }


def set_aside(runs: Path, stage: Stage, error: ArtifactError) -> bool:
    """Keep the artifact that `error` speaks of under another name, so that it is made again.

    False if there is another by now: it was made again by another command.

    Raises:
        Claimed: another process is making it.
    """
    directory = paths.artifact_dir(runs, stage.kind, stage.name)
    with claim(runs, stage):
        if not directory.exists():
            return True
        with suppress(ArtifactError):
            there = find(runs, stage)
            if there is not None and there.identity != error.found:
                return False
        kept = paths.set_aside_dir(runs, stage.kind, stage.name)
        shutil.rmtree(kept, ignore_errors=True)
        os.replace(directory, kept)
        log_event(runs, stage, "damaged", reason=str(error))
    return True


def save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name as one safetensors file."""
    with naming(path):
        safetensors.numpy.save_file(
            {name: np.ascontiguousarray(value) for name, value in arrays.items()}, path
        )
