"""The index of a compressed checkpoint in several files: which file holds which tensor, and what each hashes to.

Every file is complete by itself; the index beside them makes them one.
"""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorjax.container.format import ContainerError
from xorjax.container.model import CompressedModel
from xorjax.container.read import load, planes_of
from xorjax.errors import about
from xorjax.files import sha256, write_text

INDEX_SUFFIX = ".xorjax.index.json"
SHARD_SUFFIX = ".xorjax"
_FORMAT, _VERSION = "xorjax-index", 1


@dataclass(frozen=True)
class ShardFile:
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class ShardIndex:
    """An index that was read: the files beside it by name, each tensor's file, and how they were made."""

    path: Path
    files: dict[str, ShardFile]
    places: dict[str, str]
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(INDEX_SUFFIX)

    @property
    def n_bytes(self) -> int:
        return sum(file.n_bytes for file in self.files.values())


def write_index(
    path: Path, files: Mapping[str, ShardFile], places: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    """The same files and settings always give the same bytes."""
    index = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "settings": settings,
        "files": {name: {"bytes": file.n_bytes, "sha256": file.sha256} for name, file in files.items()},
        "weight_map": places,
    }
    write_text(path, json.dumps(index, sort_keys=True, indent=1) + "\n")


def find_index(path: str | Path) -> Path | None:
    """The index that `path` is or that it is the directory of; None where it is another file.

    Raises:
        ContainerError: a directory does not hold exactly one.
    """
    path = Path(path)
    if not path.is_dir():
        return path if path.name.endswith(INDEX_SUFFIX) else None
    found = sorted(path.glob(f"*{INDEX_SUFFIX}"))
    if len(found) > 1:
        raise ContainerError(f"{path}: it holds {len(found)} *{INDEX_SUFFIX}; name the one wanted")
    if not found:
        raise ContainerError(
            f"{path}: the directory holds no *{INDEX_SUFFIX}; if `xorjax compress` was stopped, repeat its command "
            "to finish and write it"
        )
    return found[0]


def read_index(path: Path) -> ShardIndex:
    """The index at `path`; of the files only their names are looked at.

    Raises:
        ContainerError: it is damaged, of another version, or names a file that is not beside it.
        OSError: it cannot be read.
    """
    with about(str(path), ContainerError):
        index = parse_index(path)
    if not isinstance(index, dict) or index.get("format") != _FORMAT:
        raise ContainerError(f"{path}: format is not {_FORMAT!r}")
    if index.get("format_version") != _VERSION:
        raise ContainerError(
            f"{path}: format_version is {index.get('format_version')!r}, and this reads {_VERSION}"
        )
    files, places, settings = (index.get(key) for key in ("files", "weight_map", "settings"))
    if not (isinstance(files, dict) and isinstance(places, dict) and isinstance(settings, dict)):
        raise ContainerError(f"{path}: files, weight_map or settings is no JSON object")
    read = {name: _file(path, name, entry) for name, entry in files.items()}
    for tensor, name in places.items():
        if not isinstance(name, str) or name not in read:
            raise ContainerError(f"{path}: tensor {tensor!r} is placed in {name!r}, which is not in files")
    return ShardIndex(path, read, places, settings)


def parse_index(path: Path) -> Any:
    """The JSON of an index, compressed or not.

    Raises:
        ValueError: it is none.
        OSError: it cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the index is not JSON ({error})") from error


def check_beside(name: str) -> None:
    """Raises ValueError: a name in an index is not that of a file beside it."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise ValueError(f"the index names {name!r}, which is not a file beside it")


def _file(path: Path, name: str, entry: object) -> ShardFile:
    with about(str(path), ContainerError):
        check_beside(name)
    n_bytes, sha256 = (entry.get("bytes"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
    if type(n_bytes) is not int or not isinstance(sha256, str):
        raise ContainerError(f"{path}: {name!r} lacks its bytes or its sha256")
    return ShardFile(n_bytes, sha256)


def load_shard(index: ShardIndex, name: str) -> CompressedModel:
    """One file of the index.

    Raises:
        ContainerError: as `load`, or the file does not hold the tensors that the index places there.
        OSError: the file cannot be read.
    """
    model = load(index.path.parent / name)
    _check_names(index, name, model.layers.keys() | model.params.keys())
    return model


def verify_shard(index: ShardIndex, name: str) -> list[str]:
    """`verify` of one file of the index, and that it is the one whose SHA-256 the index gives.

    Returns:
        The planes that were checked.

    Raises:
        ContainerError: as `load_shard`, a plane does not decode to the one that was saved, or the file is another.
        OSError: the file cannot be read.
    """
    path = index.path.parent / name
    model = load(path)
    if hash_file(path) != index.files[name]:
        raise ContainerError(f"{path}: it is whole, but not the file whose SHA-256 {index.path.name} gives")
    _check_names(index, name, model.layers.keys() | model.params.keys())
    return planes_of(model)


def hash_file(path: Path) -> ShardFile:
    return ShardFile(path.stat().st_size, sha256(path))


def _check_names(index: ShardIndex, name: str, held: Set[str]) -> None:
    placed = {tensor for tensor, file in index.places.items() if file == name}
    for tensor in sorted(held ^ placed):
        where = "missing; the index places it here" if tensor in placed else "not in the index"
        raise ContainerError(f"{index.path.parent / name}: tensor {tensor!r} is {where}")
