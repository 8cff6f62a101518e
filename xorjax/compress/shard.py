"""One shard made by a worker, as a stage whose file lies in OUT: claimed, recorded, resumed and checked by `artifacts`.

A layer is let go when its streams are made and a kept tensor when it is written, so that a worker holds the shard's
code words and a few times its largest tensor, whatever the shard's size.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.graph import Node
from xorjax.compress.checkpoint import Checkpoint, CheckpointError, Mapped, open_checkpoint
from xorjax.compress.cut import Cut, Shard, identify
from xorjax.compress.describe import describe_made, describe_networks, describe_param
from xorjax.compress.directory import check_current, shard_stage, work_of
from xorjax.compress.layer import compress_layer
from xorjax.compress.model import weights_of
from xorjax.compress.spec import CompressSpec
from xorjax.container import CompressedLayer
from xorjax.container.write import save_made
from xorjax.gf2.network import XorNetwork

# Seconds between two notes of how far a shard is, in a file beside its record to be.
_PERIOD = 0.5
_PROGRESS = "progress"


@dataclass(frozen=True)
class Order:
    """All that a worker needs to make a shard: paths and settings, no arrays. `command` tells who has it made."""

    cut_sha256: str
    source: Path
    inputs: dict[Path, dict[str, Any]]
    spec: CompressSpec
    masks: Path | None
    out: Path
    shard: Shard
    command: str


def shard_node(cut: Cut, out: Path, shard: Shard, command: str) -> Node:
    source, out = cut.directory / shard.source, out.absolute()
    inputs = {source: cut.files[shard.source]} | cut.files_of_masks
    order = Order(cut.sha256, source, inputs, cut.spec, cut.masks, out, shard, command)
    return Node(shard_stage(cut.sha256, shard.name), (), build_shard, (order,), (out / shard.file,))


def progress_of(out: Path, node: Node) -> float:
    """Which fraction of a shard's weights is done, as its worker noted last; 0 where none did."""
    work = paths.partial_dir(work_of(out), node.stage.kind, node.stage.name)
    try:
        return float((work / _PROGRESS).read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def build_shard(work: Path, needs: Mapping[str, Artifact], order: Order) -> dict[str, Any]:
    """Writes the shard to OUT, whole or not at all; returns what is said of it.

    Raises:
        ValueError: as `compress_layer`; a file of the input or of its masks is not the one that was cut; or the
            directory was begun anew by another command.
        OSError: a file cannot be read or written.
    """
    check_current(order.cut_sha256, order.out)
    shard, path = order.shard, order.out / order.shard.file
    for left in order.out.glob(f".{shard.file}.*.tmp"):
        left.unlink()  # of a command that was killed; who has the claim is the only one to write it
    _check_input(order)
    checkpoint = open_checkpoint(order.source)
    described: list[dict[str, Any]] = []
    networks: dict[XorNetwork, None] = {}
    layers = _layers(order, checkpoint, described, networks, _noting(work / _PROGRESS))
    save_made(path, layers, Mapped(checkpoint, shard.params), checkpoint.metadata)
    _check_input(order)
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
        "networks": describe_networks(networks),
        "command": order.command,
    }


def _layers(
    order: Order,
    checkpoint: Checkpoint,
    described: list[dict[str, Any]],
    networks: dict[XorNetwork, None],
    noted: Callable[[float], None],
) -> Iterator[CompressedLayer]:
    """The layers one after the other; what is said of each is added to `described` and `networks`."""
    spec, total, before = order.spec, order.shard.n_weights, 0
    if order.masks is not None:
        spec = replace(spec, masks=Mapped(open_checkpoint(order.masks), order.shard.layers))

    def tell(done: float) -> None:
        noted((before + 0.95 * done * weights.size) / total)

    for name in order.shard.layers:
        weights = weights_of(checkpoint, name)
        layer = compress_layer(weights, spec, tell)
        described.append(describe_made(layer, weights, 8 * checkpoint[name].nbytes))
        networks[layer.net] = None
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


def _check_input(order: Order) -> None:
    """Before the shard is made and after: no file is half of one input and half of another."""
    for file, identity in order.inputs.items():
        if identify(file) != identity:
            raise CheckpointError(f"{file}: it has changed since the command was begun")


def _peak_bytes() -> int:
    """Of this process since it began; ru_maxrss is in bytes on macOS and in KiB elsewhere."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
