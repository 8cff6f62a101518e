"""One shard made by a worker, as a stage whose file lies in OUT: claimed, recorded, resumed and checked by `artifacts`.

A layer is let go when its streams are made and a kept tensor when it is written, so that a worker holds the shard's
code words and a few times its largest tensor, whatever the shard's size.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.graph import Node
from xorjax.compression.checkpoint import Checkpoint, Mapped, open_checkpoint
from xorjax.compression.cut import Cut, Shard, identify
from xorjax.compression.describe import describe_made, describe_param
from xorjax.compression.directory import check_current, shard_stage, work_of
from xorjax.compression.errors import CompressError
from xorjax.compression.layer import compress_layer
from xorjax.compression.model import weights_of
from xorjax.container import CompressedLayer
from xorjax.container.write import save_made

# Seconds between two notes of how far a shard is, in a file beside its record to be.
_PERIOD = 0.5
_PROGRESS = "progress"


def shard_node(cut: Cut, out: Path, shard: Shard, command: str) -> Node:
    """The shard of a cut as what `command` may have a worker make: paths and settings, no arrays."""
    stage, out = shard_stage(cut.sha256, shard.name), out.absolute()
    return Node(stage, (), build_shard, (cut, out, shard, command), (out / shard.file,))


def progress_of(out: Path, node: Node) -> float:
    """Which fraction of a shard's weights is done, as its worker noted last; 0 where none did."""
    work = paths.partial_dir(work_of(out), node.stage.kind, node.stage.name)
    try:
        return float((work / _PROGRESS).read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def build_shard(
    work: Path, needs: Mapping[str, Artifact], cut: Cut, out: Path, shard: Shard, command: str
) -> dict[str, Any]:
    """Writes a shard to `out`, whole or not at all; returns what is said of it, `command` that had it made included.

    Raises:
        CompressError: as `compress_layer`; a file of the input or of its masks is not the one that was cut; or the
            directory was begun anew by another command.
        OSError: a file cannot be read or written.
    """
    check_current(cut.sha256, out)
    source, path = cut.directory / shard.source, out / shard.file
    inputs = {source: cut.files[shard.source]} | cut.files_of_masks
    _check_input(inputs)
    checkpoint = open_checkpoint(source)
    described: list[dict[str, Any]] = []
    layers = _layers(cut, shard, checkpoint, described, _noting(work / _PROGRESS))
    save_made(path, layers, Mapped(checkpoint, shard.params), checkpoint.metadata)
    _check_input(inputs)
    (work / _PROGRESS).unlink(missing_ok=True)
    return {
        "file": shard.file,
        "bytes": path.stat().st_size,
        "input": shard.source,
        "input_bytes": sum(checkpoint[name].nbytes for name in (*shard.layers, *shard.params)),
        "peak_bytes": _peak_bytes(),
        "metadata": dict(checkpoint.metadata),
        "layers": described,
        "params": [describe_param(name, checkpoint[name]) for name in shard.params],
        "command": command,
    }


def _layers(
    cut: Cut,
    shard: Shard,
    checkpoint: Checkpoint,
    described: list[dict[str, Any]],
    noted: Callable[[float], None],
) -> Iterator[CompressedLayer]:
    """The layers one after the other; what is said of each is added to `described`."""
    spec, total, before = cut.spec, shard.n_weights, 0
    if cut.masks is not None:
        spec = replace(spec, masks=Mapped(open_checkpoint(cut.masks), shard.layers))

    def tell(done: float) -> None:
        noted((before + 0.95 * done * weights.size) / total)

    for name in shard.layers:
        weights = weights_of(checkpoint, name)
        layer = compress_layer(weights, spec, tell)
        described.append(describe_made(layer, weights, 8 * checkpoint[name].nbytes))
        yield layer
        del layer  # so that it is gone while the next is made
        before += weights.size


def _noting(path: Path) -> Callable[[float], None]:
    last = 0.0

    def note(done: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PERIOD:
            last = now
            path.write_text(f"{done:.4f}")

    return note


def _check_input(inputs: Mapping[Path, dict[str, Any]]) -> None:
    """Before the shard is made and after: no file is half of one input and half of another."""
    for file, identity in inputs.items():
        if identify(file) != identity:
            raise CompressError(f"{file}: it has changed since the command was begun")


def _peak_bytes() -> int:
    """Of this process since it began; ru_maxrss is in bytes on macOS and in KiB elsewhere."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
