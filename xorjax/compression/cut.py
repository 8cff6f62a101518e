"""What a checkpoint is cut into, and all that determines what is made of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from xorjax.codec.code import Code
from xorjax.compression.checkpoint import (
    INDEX_SUFFIX,
    Checkpoint,
    find_checkpoint,
    open_checkpoint,
)
from xorjax.compression.errors import CompressError
from xorjax.compression.layer import check_mask, check_shape
from xorjax.compression.model import match_checkpoint
from xorjax.compression.spec import CompressSpec
from xorjax.container.format import VERSION
from xorjax.container.index import INDEX_SUFFIX as COMPRESSED_INDEX_SUFFIX
from xorjax.container.index import SHARD_SUFFIX
from xorjax.container.spec import code_spec

SHARD_BYTES = 10**9
_SUFFIX = ".safetensors"
# Prefix of the names of files of masks: the input's files may have the same names.
_OF_MASKS = "masks/"


@dataclass(frozen=True)
class Shard:
    """One file to make: `name`.xorjax, of the tensors of one input file or of a part of it."""

    name: str
    source: str
    layers: tuple[str, ...]
    params: tuple[str, ...]
    n_weights: int

    def __repr__(self) -> str:
        held = f"{self.n_weights:,} weights in layers {shortened(list(self.layers))}"
        return f"Shard({self.name!r}, {held}, {len(self.params)} other tensors)"

    @property
    def file(self) -> str:
        return self.name + SHARD_SUFFIX


@dataclass(frozen=True)
class Cut:
    """A checkpoint in shards: all that determines the result, and where the input lies, which does not.

    Attributes:
        directory: of the input files.
        spec: the settings; masks are read where they are used, and not held.
        masks: the checkpoint of masks, if any.
        shard_bytes: what one file was cut by; None for a checkpoint in shards.
        files: identity of each input file by its name, and of each file of masks.
    """

    name: str
    directory: Path
    spec: CompressSpec
    masks: Path | None
    shard_bytes: int | None
    files: dict[str, dict[str, Any]]
    shards: tuple[Shard, ...]

    def __repr__(self) -> str:
        n_layers = sum(len(shard.layers) for shard in self.shards)
        n_weights = sum(shard.n_weights for shard in self.shards)
        held = f"{n_weights:,} weights in {n_layers} layers"
        return (
            f"Cut({self.name!r} of {str(self.directory)!r}, {held}, {len(self.shards)} shards, {self.spec})"
        )

    @property
    def files_of_masks(self) -> dict[Path, dict[str, Any]]:
        """The identity of each file of masks by its path."""
        if self.masks is None:
            return {}
        directory = find_checkpoint(self.masks).parent
        return {
            directory / name.removeprefix(_OF_MASKS): identity
            for name, identity in self.files.items()
            if name.startswith(_OF_MASKS)
        }

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as JSON has them."""
        settings = {field.name: getattr(self.spec, field.name) for field in fields(CompressSpec)}
        settings |= _flat("code", self.spec.code)
        settings["mask_options"] = dict(self.spec.mask_options)
        settings["per_layer"] = {
            pattern: dict(rule) | (_flat("code", code) if isinstance(code := rule.get("code"), Code) else {})
            for pattern, rule in self.spec.per_layer.items()
        }
        settings["masks"] = None if self.masks is None else "given"
        settings["shard_bytes"] = self.shard_bytes
        return settings

    @property
    def text(self) -> str:
        """What determines the result; not where the input lies."""
        written = {
            "index": self.index_file,
            "format_version": VERSION,
            "settings": self.settings,
            "files": self.files,
            "shards": [asdict(shard) for shard in self.shards],
        }
        return json.dumps(written, sort_keys=True, indent=1) + "\n"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def index_file(self) -> str:
        return self.name + COMPRESSED_INDEX_SUFFIX


def _flat(key: str, code: Code) -> dict[str, Any]:
    """A code's id and settings as the keys of `per_layer` name them: "code" and "code.n_in"."""
    spec = code_spec(code)
    return {key: spec.pop("id")} | {f"{key}.{name}": value for name, value in spec.items()}


def make_cut(
    path: str | Path, spec: CompressSpec, masks: str | Path | None = None, shard_bytes: int | None = None
) -> Cut:
    """Reads the headers of the checkpoint at `path` and of its masks, and refuses what they already show to be wrong.

    `spec.masks` are those of `masks`. One file is cut into shards of about `shard_bytes`, in the order of the
    tensors' names; a checkpoint in shards keeps them.

    Raises:
        CompressError: as `match_checkpoint`; a layer's shape, or its mask's, does not fit; or `shard_bytes` is given
            for a checkpoint in shards.
        OSError: a file cannot be read.
    """
    found = find_checkpoint(path)
    checkpoint = open_checkpoint(found)
    matched = set(match_checkpoint(checkpoint, spec))
    for layer in sorted(matched):
        check_shape(layer, checkpoint[layer].shape)
        if spec.masks is not None:
            check_mask(layer, checkpoint[layer].shape, spec.masks)
    if found.name.endswith(INDEX_SUFFIX):
        if shard_bytes is not None:
            raise CompressError(f"{found}: it has shards of its own; --shard-size is for one file")
        name, groups = found.name.removesuffix(INDEX_SUFFIX), _by_file(checkpoint)
    else:
        shard_bytes = shard_bytes or SHARD_BYTES
        name = found.name.removesuffix(_SUFFIX)
        groups = _cut(name, checkpoint, shard_bytes)
    sources = {tensor.file for tensor in checkpoint.values()}
    files = {file.name: identify(file) for file in sorted(sources)}
    if masks is not None:
        of_masks = {tensor.file for tensor in open_checkpoint(masks).values()}
        files |= {f"{_OF_MASKS}{file.name}": identify(file) for file in sorted(of_masks)}
    return Cut(
        name,
        found.parent.absolute(),
        spec if masks is None else replace(spec, masks={}),
        None if masks is None else Path(masks).absolute(),
        shard_bytes,
        files,
        _shards(checkpoint, groups, matched),
    )


def _shards(
    checkpoint: Checkpoint, groups: Mapping[str, Sequence[str]], matched: Set[str]
) -> tuple[Shard, ...]:
    """A shard for each group of tensors; those that `matched` names are its layers."""
    return tuple(
        Shard(
            name,
            checkpoint[tensors[0]].file.name,
            tuple(tensor for tensor in tensors if tensor in matched),
            tuple(tensor for tensor in tensors if tensor not in matched),
            sum(checkpoint[tensor].size for tensor in tensors if tensor in matched),
        )
        for name, tensors in groups.items()
    )


def _by_file(checkpoint: Checkpoint) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, tensor in checkpoint.items():
        groups.setdefault(tensor.file.name.removesuffix(_SUFFIX), []).append(name)
    return dict(sorted(groups.items()))


def _cut(name: str, checkpoint: Checkpoint, shard_bytes: int) -> dict[str, list[str]]:
    groups: list[list[str]] = []
    left = 0
    for tensor in checkpoint:
        if not groups or checkpoint[tensor].nbytes > left:
            groups.append([])
            left = shard_bytes
        groups[-1].append(tensor)
        left -= checkpoint[tensor].nbytes
    return {f"{name}-{i:05d}-of-{len(groups):05d}": names for i, names in enumerate(groups, 1)}


def identify(file: Path) -> dict[str, Any]:
    """What tells a changed file from the one that was cut: size, time of change, and the header's SHA-256."""
    with file.open("rb") as opened:
        header = opened.read(int.from_bytes(opened.read(8), "little"))
    stat = file.stat()
    return {
        "bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
        "header_sha256": hashlib.sha256(header).hexdigest(),
    }
