"""safetensors: named arrays and a few strings to one run of bytes, and back.

Written here rather than by the library because the library orders the metadata at random, so that equal
models would give unequal files, and because its errors do not name the tensor. A test reads these files with
the library.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

import ml_dtypes
import numpy as np
from jaxtyping import UInt8

from xorjax.errors import about

DTYPES: dict[str, np.dtype] = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "C64": np.dtype("<c8"),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
}
FLOATS = ("F16", "BF16", "F32", "F64")
MAX_HEADER = 100_000_000
MAX_NDIM = 64  # NumPy's own
_IDS = {dtype: id for id, dtype in DTYPES.items()}
_METADATA = "__metadata__"
_DTYPE = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, eq=False)
class Raw:
    """A tensor of a dtype that NumPy lacks, such as F4: its bytes, which are copied and never looked into."""

    dtype: str
    shape: tuple[int, ...]
    data: UInt8[np.ndarray, " _"]

    @property
    def nbytes(self) -> int:
        return self.data.nbytes


Entry = tuple[str, tuple[int, ...], int, int]
"""A tensor's dtype, shape, and where its bytes begin and end."""


def check_name(name: str) -> None:
    """Raises ValueError: no tensor of a safetensors file can have this name."""
    if name == _METADATA:
        raise ValueError(
            f"no tensor can be called {name!r}, which is the key of a safetensors file's metadata"
        )
    check_text(name)


def check_text(text: str) -> None:
    """Raises ValueError: no safetensors file can hold this string."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} is no Unicode text, expected a name without surrogates") from error


def dtype_id(array: np.ndarray | Raw) -> str:
    """safetensors' name of the array's dtype.

    Raises:
        ValueError: it is not one of `DTYPES`.
    """
    if isinstance(array, Raw):
        return array.dtype
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _IDS:
        raise ValueError(f"dtype {array.dtype} is not one of {', '.join(DTYPES)}")
    return _IDS[dtype]


Description = tuple[str, tuple[int, ...], int]
"""A tensor's dtype, shape and bytes."""


def write_made(
    file: BufferedIOBase,
    described: Mapping[str, Description],
    make: Callable[[str], np.ndarray | Raw],
    metadata: dict[str, str],
) -> None:
    """Writes the file: its bytes are a function of the names, values and strings, not of their order.

    `make(name)` is called in the file's order, a tensor at a time: together they need not fit in memory.
    """
    header, names = make_header(described, metadata)
    file.write(header)
    for name in names:
        array = make(name)
        assert describe(array) == described[name]
        file.write(data_of(array))


def describe(array: np.ndarray | Raw) -> Description:
    """The array's dtype, shape and bytes.

    Raises:
        ValueError: the dtype is not one of `DTYPES`.
    """
    return dtype_id(array), array.shape, array.nbytes


def make_header(described: Mapping[str, Description], metadata: dict[str, str]) -> tuple[bytes, list[str]]:
    """The header, with its length before it, and the order of the tensors that follow.

    Wide dtypes come first, then names in order, so that every tensor is aligned.
    """
    header: dict[str, object] = {_METADATA: dict(sorted(metadata.items()))}
    names = sorted(described, key=lambda name: (-_width(described[name][0]), name))
    offset = 0
    for name in names:
        id, shape, n_bytes = described[name]
        end = offset + n_bytes
        header[name] = {"dtype": id, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, names


def to_bytes(tensors: Mapping[str, np.ndarray | Raw], metadata: dict[str, str]) -> bytes:
    """What `write_made` writes of these tensors."""
    file = BytesIO()
    described = {name: describe(array) for name, array in tensors.items()}
    write_made(file, described, tensors.__getitem__, metadata)
    return file.getvalue()


def data_of(array: np.ndarray | Raw) -> memoryview:
    """The array's bytes in the file: row-major, little-endian; without a copy where it lies so already."""
    if isinstance(array, Raw):
        return array.data.data
    array = np.ascontiguousarray(array.astype(DTYPES[dtype_id(array)], copy=False))
    return array.reshape(-1).view(np.uint8).data


def from_bytes(data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors (read-only, they share `data`), arrays or `Raw`, and the metadata.

    Raises:
        ValueError: the header is damaged, or a tensor is cut short or overlaps another; the message names it.
    """
    start = header_end(data[:8], len(data))
    entries, metadata = read_header(data[8:start], start, len(data))
    return {name: tensor_of(name, data, entry) for name, entry in entries.items()}, metadata


def tensor_of(name: str, data: bytes | memoryview, entry: Entry) -> Any:
    """The tensor in `data`, read-only and without a copy: an array, or `Raw`.

    Raises:
        ValueError: it is of booleans, and a byte is none.
    """
    id, shape, begin, end = entry
    if id not in DTYPES:
        return Raw(id, shape, np.frombuffer(data, np.uint8, end - begin, begin))
    array = np.frombuffer(data, dtype=DTYPES[id], count=prod(shape), offset=begin)
    if id == "BOOL" and (array.view(np.uint8) > 1).any():
        raise ValueError(f"tensor {name!r} has a byte that is neither true nor false")
    return array.astype(array.dtype.newbyteorder("="), copy=False).reshape(shape)


def file_header(path: Path) -> tuple[dict[str, Entry], dict[str, str], int]:
    """As `read_header`, of the file at `path`, and the file's size; the tensors are not read.

    Raises:
        ValueError: as `read_header`, or the file is too short.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = header_end(file.read(8), size)
        return *read_header(file.read(start - 8), start, size), size


def header_end(prefix: bytes, size: int) -> int:
    """Where the header of a file of `size` bytes ends, from the file's first 8.

    Raises:
        ValueError: the file is too short for it.
    """
    end = 8 + int.from_bytes(prefix, "little")
    if len(prefix) == 8 and end > MAX_HEADER:
        raise ValueError(
            f"it is no safetensors file: its first 8 bytes give a header of {end - 8} bytes, more than any has"
        )
    if len(prefix) < 8 or end > size:
        raise ValueError(
            f"header: it ends at byte {end}, but the file has {size}: cut short, or no safetensors file"
        )
    return end


def read_header(text: bytes, start: int, size: int) -> tuple[dict[str, Entry], dict[str, str]]:
    """The tensors in the order of their bytes, and the metadata, of a file of `size` bytes with data from `start` on.

    Raises:
        ValueError: the header is damaged, or a tensor is cut short or overlaps another; the message names it.
    """
    header = parse_json(text, "header")
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("header: __metadata__ is not a map from strings to strings")
    read = {name: _entry(name, entry) for name, entry in header.items()}
    entries, offset = {}, 0
    for name in sorted(read, key=lambda name: read[name][2:]):
        id, shape, begin, end = read[name]
        if begin != offset:
            raise ValueError(f"tensor {name!r} begins at byte {begin} of the data, not at {offset}")
        n_bytes = _width(id) * prod(shape)
        if id in DTYPES and end - begin != n_bytes:
            raise ValueError(f"tensor {name!r} takes {end - begin} bytes; {id} {shape} takes {n_bytes}")
        if start + end > size:
            raise ValueError(f"tensor {name!r} ends at byte {start + end}, but the file has {size}")
        entries[name] = (id, shape, start + begin, start + end)
        offset = end
    if start + offset != size:
        raise ValueError(f"the tensors end at byte {start + offset}, but the file has {size}")
    return entries, metadata


def parse_json(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object that is the `what` of a file.

    Raises:
        ValueError: it is none.
    """
    try:
        parsed = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: it is not JSON ({error})") from error
    if not isinstance(parsed, dict):
        raise ValueError(f"{what}: it is not a JSON object")
    return parsed


def _width(id: str) -> int:
    """Bytes of a value; 1 where the dtype is not known."""
    return DTYPES[id].itemsize if id in DTYPES else 1


def _entry(name: str, entry: object) -> Entry:
    with about("header"):
        check_name(name)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} has a header entry other than dtype, shape and data_offsets")
    id, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    check_described(name, id, shape)
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name!r} has shape {shape!r} and offsets {offsets!r}")
    return id, tuple(shape), offsets[0], offsets[1]


def check_described(name: str, id: object, shape: object) -> None:
    """Raises ValueError: no tensor has this dtype, or no array this shape."""
    if not isinstance(id, str) or not _DTYPE.fullmatch(id):
        raise ValueError(f"tensor {name!r} has dtype {id!r}, expected one such as {', '.join(DTYPES)}")
    if not _are_counts(shape) or len(shape) > MAX_NDIM:
        raise ValueError(f"tensor {name!r} has shape {shape!r}")
    if _width(id) * prod(max(size, 1) for size in shape) >= 2**63:
        raise ValueError(f"tensor {name!r} has shape {shape!r}, which no array has")


def _are_counts(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
