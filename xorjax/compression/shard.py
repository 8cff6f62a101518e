"""One shard made by a worker: claimed, made if it is not there whole, recorded. Nothing of it outlives a crash by half.

A layer is let go when its streams are made and a kept tensor when it is written, so that a worker holds the shard's
code words and a few times its largest tensor, whatever the shard's size.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xorjax.compression.checkpoint import Checkpoint, Mapped, open_checkpoint
from xorjax.compression.cut import Cut, Shard, identify
from xorjax.compression.describe import describe_made, describe_param, describe_shared
from xorjax.compression.directory import is_current, shard_lock, work_of
from xorjax.compression.errors import CompressError
from xorjax.compression.layer import compress_layer
from xorjax.compression.model import weights_of
from xorjax.compression.spec import CompressSpec
from xorjax.container import CompressedLayer
from xorjax.container.index import ShardFile, hash_file
from xorjax.container.write import save_made
from xorjax.files import write_text
from xorjax.locks import Locked

# Seconds between two notes of how far a shard is.
_PERIOD = 0.5


@dataclass(frozen=True)
class Task:
    """All that a worker needs to make a shard: paths and settings, no arrays."""

    cut_sha256: str
    source: Path
    inputs: dict[Path, dict[str, Any]]
    spec: CompressSpec
    masks: Path | None
    out: Path
    shard: Shard

    @classmethod
    def of(cls, cut: Cut, out: Path, shard: Shard) -> "Task":
        source = cut.directory / shard.source
        inputs = {source: cut.files[shard.source]} | cut.files_of_masks
        return cls(cut.sha256, source, inputs, cut.spec, cut.masks, out.absolute(), shard)


@dataclass(frozen=True)
class Busy:
    """Another process is making the shard."""

    holder: str


def make_shard(task: Task) -> dict[str, Any] | Busy:
    """The shard's record, and under "state" "found" if it was there whole, "made", or "damaged" or "missing" if it had
    been made before and is made again.

    Raises:
        CompressError: as `compress_layer`; a file of the input or of its masks is not the one that was cut; or the
            directory was begun anew by another command.
        OSError: a file cannot be read or written.
    """
    try:
        with shard_lock(task.out, task.shard.name):
            return _find_or_make(task)
    except Locked as locked:
        return Busy(str(locked))


def _find_or_make(task: Task) -> dict[str, Any]:
    if not is_current(task.cut_sha256, task.out):
        raise CompressError(f"{task.out}: another command began it anew with other settings")
    found = _recorded(task)
    state = "made" if found is None else _state(task.out, found)
    if found is not None and state == "found":
        return {**found, "state": state}
    made = _make(task)
    write_text(_record(task), json.dumps(made, indent=1) + "\n")
    return {**made, "state": state}


def _record(task: Task) -> Path:
    return work_of(task.out) / f"{task.shard.name}.json"


def _recorded(task: Task) -> dict[str, Any] | None:
    """What was said of the shard when it was made; a record that is damaged itself is none."""
    try:
        return json.loads(_record(task).read_text())
    except (FileNotFoundError, ValueError):
        return None


def _state(out: Path, record: dict[str, Any]) -> str:
    """Whether the file that a record tells of is there, byte by byte."""
    path = out / record["file"]
    if not path.exists():
        return "missing"
    return "found" if hash_file(path) == ShardFile(record["bytes"], record["sha256"]) else "damaged"


def progress_of(out: Path, shard: Shard) -> float:
    """Which fraction of a shard's weights is done, as its worker noted last; 0 where none did."""
    try:
        return float(_progress(out, shard).read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def _progress(out: Path, shard: Shard) -> Path:
    return work_of(out) / f"{shard.name}.progress"


def _make(task: Task) -> dict[str, Any]:
    shard, started = task.shard, time.perf_counter()
    for left in task.out.glob(f".{shard.file}.*.tmp"):
        left.unlink()  # of a command that was killed; who holds the lock is the only one to write it
    _check_input(task)
    checkpoint = open_checkpoint(task.source)
    described: list[dict[str, Any]] = []
    shared: dict[str, dict[str, Any]] = {}
    noted = _noting(task)
    path = task.out / shard.file
    save_made(
        path,
        _layers(task, checkpoint, described, shared, noted),
        Mapped(checkpoint, shard.params),
        checkpoint.metadata,
    )
    _check_input(task)
    written = hash_file(path)
    _progress(task.out, shard).unlink(missing_ok=True)
    return {
        "file": shard.file,
        "bytes": written.n_bytes,
        "sha256": written.sha256,
        "input": shard.source,
        "input_bytes": sum(checkpoint[name].nbytes for name in (*shard.layers, *shard.params)),
        "seconds": round(time.perf_counter() - started, 3),
        "peak_bytes": _peak_bytes(),
        "metadata": dict(checkpoint.metadata),
        "layers": described,
        "params": [describe_param(name, checkpoint[name]) for name in shard.params],
        "shared": list(shared.values()),
    }


def _layers(
    task: Task,
    checkpoint: Checkpoint,
    described: list[dict[str, Any]],
    shared: dict[str, dict[str, Any]],
    noted: Callable[[float], None],
) -> Iterator[CompressedLayer]:
    """The layers one after the other; what is said of each is added to `described` and `shared`."""
    spec, total, before = task.spec, task.shard.n_weights, 0
    if task.masks is not None:
        spec = replace(spec, masks=Mapped(open_checkpoint(task.masks), task.shard.layers))

    def tell(done: float) -> None:
        noted((before + 0.95 * done * weights.size) / total)

    for name in task.shard.layers:
        weights = weights_of(checkpoint, name)
        layer = compress_layer(weights, spec, tell)
        described.append(describe_made(layer, weights, 8 * checkpoint[name].nbytes))
        shared |= {entry["sha256"]: entry for entry in describe_shared([layer])}
        yield layer
        del layer  # so that it is gone while the next is made
        before += weights.size


def _noting(task: Task) -> Callable[[float], None]:
    path, last = _progress(task.out, task.shard), 0.0

    def note(done: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PERIOD:
            last = now
            path.write_text(f"{done:.4f}")

    return note


def _check_input(task: Task) -> None:
    """Before the shard is made and after: no file is half of one input and half of another."""
    for file, identity in task.inputs.items():
        if identify(file) != identity:
            raise CompressError(f"{file}: it has changed since the command was begun")


def _peak_bytes() -> int:
    """Of this process since it began; ru_maxrss is in bytes on macOS and in KiB elsewhere."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
