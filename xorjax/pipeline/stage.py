"""Make one stage of a point, in whichever process: what it needs is on disk, what became of it is returned."""

import errno
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from xorjax import paths
from xorjax.config.schema import Config
from xorjax.errors import UserError
from xorjax.pipeline.artifact import ArtifactError, make
from xorjax.pipeline.baselines import baselines
from xorjax.pipeline.build import Build, existing
from xorjax.pipeline.claims import Claimed
from xorjax.pipeline.dense import dense
from xorjax.pipeline.encode import encode
from xorjax.pipeline.evaluate import evaluate
from xorjax.pipeline.events import log_event
from xorjax.pipeline.mask import mask
from xorjax.pipeline.plan import Plan, Stage, make_plan
from xorjax.pipeline.prune import prune
from xorjax.pipeline.quantize import quantize
from xorjax.trackers import open_trackers

STAGES: dict[str, Callable[[Build], dict]] = {
    function.__name__: function for function in (dense, prune, mask, quantize, baselines, encode, evaluate)
}

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
class Unusable:
    """A stage that this one needs, or what there was of this one, is damaged or gone: `ArtifactError`, travelling."""

    name: str
    reason: str
    found: str | None


@dataclass(frozen=True)
class Failure:
    """The stage cannot be made.

    Attributes:
        error: one line, the error's class first.
        directory: what there is of the stage.
        ours: a bug, or else the user's to mend.
        of_system: a full disk, a directory that cannot be written: other stages would fail alike.
        traceback: where it happened.
    """

    error: str
    directory: str
    ours: bool
    of_system: bool
    traceback: str


def run_stage(config: Config, name: str) -> Made | Busy | Unusable | Failure:
    """Make the stage `name` of the point that `config` describes, or find it made."""
    plan = make_plan(config)
    stage = next(stage for stage in plan.stages if stage.name == name)
    runs = Path(config.paths.runs)
    try:
        return Made(_make(plan, stage, runs))
    except Claimed as claimed:
        return Busy(str(claimed))
    except ArtifactError as error:
        return Unusable(error.name, str(error), error.found)
    except Exception as error:
        work = paths.partial_dir(runs, stage.kind, stage.name)
        if os.strerror(errno.ENOENT) in str(error) and not work.exists():
            return Unusable(name, f"{work}: the directory was deleted while it was being written", None)
        return _failed(runs, stage, error)


def _make(plan: Plan, stage: Stage, runs: Path) -> float:
    upstream = {need.name: existing(runs, need) for need in plan.needs(stage)}

    def build(work: Path) -> dict:
        with _tracked(plan.config, stage, runs) as on_epoch:
            return STAGES[stage.kind](Build(plan, stage, runs, work, on_epoch))

    return make(runs, stage, upstream, build).seconds


@contextmanager
def _tracked(config: Config, stage: Stage, runs: Path) -> Iterator[Callable[[dict], None]]:
    """Tells the trackers that the settings name of each epoch; stages that train nothing have none."""
    if not stage.epochs or not config.trackers:
        yield lambda row: None
        return
    with ExitStack() as stack:
        logs = [
            stack.enter_context(tracker.stage(stage.kind, stage.name, asdict(config)))
            for tracker in open_trackers(config.trackers, runs)
        ]

        def on_epoch(row: dict) -> None:
            for log in logs:
                log(row)

        yield on_epoch


def _failed(runs: Path, stage: Stage, error: Exception) -> Failure:
    line = f"{type(error).__name__}: {' '.join(str(error).split())}"
    refused = isinstance(error, OSError) and error.errno in (*SYSTEM_ERRORS, *REFUSED)
    of_system = refused or any(os.strerror(code) in line for code in SYSTEM_ERRORS)
    try:
        log_event(runs, stage, "failed", error=line)
    except OSError:
        # The disk that the stage could not be written to cannot take this line either.
        of_system = True
    return Failure(
        line,
        str(paths.partial_dir(runs, stage.kind, stage.name)),
        not (of_system or isinstance(error, (UserError, OSError))),
        of_system,
        "".join(traceback.format_exception(error)),
    )
