"""Make one stage, in whichever process: what it needs is on disk, what became of it is returned."""

import errno
import os
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from xorjax import paths
from xorjax.artifacts.artifact import ArtifactError, existing, make
from xorjax.artifacts.claims import Claimed
from xorjax.artifacts.events import log_event
from xorjax.artifacts.graph import Node, Stage
from xorjax.engines.base import travelling
from xorjax.errors import SetupError, UserError

SYSTEM_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOLCK)
"""What the system would refuse other stages too; orbax, tensorstore and safetensors pass it on in errors of their own,
where only the text tells.
"""
REFUSED = (errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Made:
    """The stage is there."""

    seconds: float


@dataclass(frozen=True)
class Busy:
    """Another command is making the stage: `holder`."""

    holder: str


@dataclass(frozen=True)
class Failure:
    """The stage cannot be made.

    Attributes:
        error: one line, the error's class first.
        directory: what there is of the stage.
        ours: a bug, or else the user's to mend.
        of_system: a full disk, a directory that cannot be written, a wrong variable: other stages would fail alike.
        traceback: where it happened.
        raised: the error itself.
    """

    error: str
    directory: str
    ours: bool
    of_system: bool
    traceback: str
    raised: Exception


def run_stage(runs: Path, node: Node) -> Made | Busy | ArtifactError | Failure:
    """Make a node's stage in the directory of runs, or find it made.

    Returns:
        An `ArtifactError` if a stage that it needs, or what there was of this one, is damaged or gone.
    """
    stage = node.stage
    try:
        return Made(make(runs, node, {need.name: existing(runs, need) for need in node.needs}).seconds)
    except Claimed as claimed:
        return Busy(str(claimed))
    except ArtifactError as error:
        return error
    except Exception as error:
        work = paths.partial_dir(runs, stage.kind, stage.name)
        if os.strerror(errno.ENOENT) in str(error) and not work.exists():
            return ArtifactError(stage.name, f"{work}: the directory was deleted while it was being written")
        return _failed(runs, stage, error)


def _failed(runs: Path, stage: Stage, error: Exception) -> Failure:
    failure = failure_of(error, paths.partial_dir(runs, stage.kind, stage.name))
    try:
        log_event(runs, stage, "failed", error=failure.error)
    except OSError:
        # The disk that the stage could not be written to cannot take this line either.
        return replace(failure, ours=False, of_system=True)
    return failure


def failure_of(error: Exception, path: Path) -> Failure:
    """What became of whatever was being made at `path`."""
    line = f"{type(error).__name__}: {' '.join(str(error).split())}"
    refused = isinstance(error, OSError) and error.errno in (*SYSTEM_ERRORS, *REFUSED)
    refused = refused or isinstance(error, SetupError)
    of_system = refused or any(os.strerror(code) in line for code in SYSTEM_ERRORS)
    ours = not (of_system or isinstance(error, UserError))
    text = "".join(traceback.format_exception(error))
    return Failure(line, str(path), ours, of_system, text, travelling(error))
