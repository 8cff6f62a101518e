"""A user's checkpoint: safetensors, one file or shards with an index, read a tensor or a piece of one at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

import numpy as np

from xorjax.compression.errors import CompressError
from xorjax.container.format import FORMAT
from xorjax.container.index import INDEX_SUFFIX as COMPRESSED_INDEX_SUFFIX
from xorjax.container.index import check_beside, parse_index
from xorjax.container.tensors import DTYPES, Raw, file_header
from xorjax.errors import about

INDEX_SUFFIX = ".safetensors.index.json"


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies. Nothing is read until it is asked for."""

    file: Path
    dtype_id: str
    shape: tuple[int, ...]
    begin: int
    nbytes: int

    @property
    def dtype(self) -> np.dtype | str:
        """The id, where NumPy lacks the dtype."""
        return DTYPES.get(self.dtype_id, self.dtype_id)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def read(self, begin: int, end: int) -> np.ndarray:
        """The flattened tensor's values `begin` to `end`, read from the file."""
        dtype = DTYPES[self.dtype_id]
        return np.fromfile(self.file, dtype, end - begin, offset=self.begin + begin * dtype.itemsize)

    def mapped(self) -> np.ndarray | Raw:
        """The tensor, memory-mapped read-only. The file is open as long as the array lives."""
        if self.dtype_id not in DTYPES:
            return Raw(self.dtype_id, self.shape, self._map(np.dtype(np.uint8), (self.nbytes,)))
        return self._map(DTYPES[self.dtype_id], self.shape)

    def _map(self, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        if self.nbytes == 0:
            return np.zeros(shape, dtype)
        return np.memmap(self.file, dtype, "r", self.begin, shape)


@dataclass(frozen=True)
class Checkpoint(Mapping[str, Tensor]):
    """The tensors by name, sorted, and the strings of the files' metadata."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    n_bytes: int

    def __repr__(self) -> str:
        return f"Checkpoint({len(self)} tensors {shortened(list(self))}, {self.n_bytes:,} bytes)"

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


class Mapped(Mapping[str, Any]):
    """Some of a checkpoint's tensors as arrays, each mapped when it is asked for and let go with the array."""

    def __init__(self, checkpoint: Checkpoint, names: Iterable[str]):
        self._tensors = {name: checkpoint[name] for name in names}

    def __repr__(self) -> str:
        return f"Mapped({len(self)} tensors {shortened(list(self))})"

    def __getitem__(self, name: str) -> np.ndarray | Raw:
        return self._tensors[name].mapped()

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Reads the headers of `path`: a safetensors file, a `*.safetensors.index.json`, or the directory of either.

    Raises:
        CompressError: a file is damaged or one of xorjax, the index names a file outside its directory or a tensor
            that its file lacks, or the directory holds neither one index nor one file.
        OSError: a file cannot be read.
    """
    path = find_checkpoint(path)
    tensors, metadata, n_bytes = (_sharded if path.name.endswith(".json") else _one)(path)
    return Checkpoint(dict(sorted(tensors.items())), metadata, n_bytes)


def find_checkpoint(path: str | Path) -> Path:
    """The file or index that `path` is, or that it is the directory of.

    Raises:
        CompressError: a directory holds neither one index nor one file.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    indices, files = sorted(path.glob(f"*{INDEX_SUFFIX}")), sorted(path.glob("*.safetensors"))
    for found in (indices, files):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(file.name for file in found[:4])
            raise CompressError(f"{path}: it holds {len(found)} of them ({names}, ...); name the one wanted")
    if any(path.glob(f"*{COMPRESSED_INDEX_SUFFIX}")):
        raise CompressError(f"{path}: it holds shards of xorjax; decompress them first")
    raise CompressError(f"{path}: the directory holds no *.safetensors and no *{INDEX_SUFFIX}")


def _one(path: Path) -> tuple[dict[str, Tensor], dict[str, str], int]:
    with about(str(path), CompressError):
        entries, metadata, size = file_header(path)
    if metadata.get("format") == FORMAT:
        raise CompressError(f"{path}: it is a file of xorjax; decompress it first")
    tensors = {
        name: Tensor(path, id, shape, begin, end - begin) for name, (id, shape, begin, end) in entries.items()
    }
    return tensors, metadata, size


def _sharded(path: Path) -> tuple[dict[str, Tensor], dict[str, str], int]:
    with about(str(path), CompressError):
        index = parse_index(path)
        places = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
            raise ValueError("the index has no weight_map from tensors to files")
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    n_bytes = 0
    for file in sorted(set(places.values())):
        with about(str(path), CompressError):
            check_beside(file)
        held, strings, size = _one(path.parent / file)
        for name in sorted(name for name, place in places.items() if place == file):
            if name not in held:
                raise CompressError(
                    f"{path.parent / file}: tensor {name!r} is missing; the index places it here"
                )
            tensors[name] = held[name]
        for name in sorted(held.keys() - places.keys()):
            raise CompressError(f"{path}: the index lacks tensor {name!r} of {file}")
        metadata |= strings
        n_bytes += size
    return tensors, metadata, n_bytes
