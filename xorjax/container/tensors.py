"""safetensors: named arrays and a few strings to one run of bytes, and back.

Written here rather than by the library because the library orders the metadata at random, so that equal
models would give unequal files, and because its errors do not name the tensor. A test reads these files with
the library.
"""

import json
from math import prod

import numpy as np

DTYPES = {"U8": "u1", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
_IDS = {np.dtype(dtype): id for id, dtype in DTYPES.items()}
_MAX_HEADER = 100_000_000


def dtype_id(array: np.ndarray) -> str:
    """safetensors' name of the array's dtype.

    Raises:
        ValueError: it is not one of `DTYPES`.
    """
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _IDS:
        raise ValueError(f"dtype {array.dtype} is not one of {', '.join(DTYPES)}")
    return _IDS[dtype]


def to_bytes(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """The file's bytes: a function of the names, values and strings, not of their order.

    Wide dtypes come first, then names in order, so that every tensor is aligned.
    """
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    chunks, offset = [], 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].itemsize, name)):
        array = tensors[name]
        id = dtype_id(array)
        chunk = array.astype(DTYPES[id], copy=False).tobytes()
        end = offset + len(chunk)
        header[name] = {"dtype": id, "shape": list(array.shape), "data_offsets": [offset, end]}
        chunks.append(chunk)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *chunks])


def from_bytes(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors (read-only, they share `data`) and the metadata.

    Raises:
        ValueError: the header is damaged, or a tensor is cut short, overlaps another or has an unknown dtype;
            the message names it.
    """
    header, start = _header(data)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("header: __metadata__ is not a map from strings to strings")
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    tensors, offset = {}, 0
    for name in sorted(entries, key=lambda name: entries[name][2]):
        id, shape, (begin, end) = entries[name]
        if begin != offset:
            raise ValueError(f"tensor {name!r} begins at byte {begin} of the data, not at {offset}")
        size = np.dtype(DTYPES[id]).itemsize * prod(shape)
        if end - begin != size:
            raise ValueError(f"tensor {name!r} takes {end - begin} bytes; {id} {shape} takes {size}")
        if start + end > len(data):
            raise ValueError(f"tensor {name!r} ends at byte {start + end}, but the file has {len(data)}")
        array = np.frombuffer(data, dtype=DTYPES[id], count=prod(shape), offset=start + begin)
        tensors[name] = array.astype(array.dtype.newbyteorder("="), copy=False).reshape(shape)
        offset = end
    if start + offset != len(data):
        raise ValueError(f"the tensors end at byte {start + offset}, but the file has {len(data)}")
    return tensors, metadata


def _header(data: bytes) -> tuple[dict, int]:
    start = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or start > min(len(data), _MAX_HEADER):
        raise ValueError(f"header: it ends at byte {start}, but the file has {len(data)}")
    try:
        header = json.loads(data[8:start].decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"header: it is not JSON ({error})") from error
    if not isinstance(header, dict):
        raise ValueError("header: it is not a JSON object")
    return header, start


def _entry(name: str, entry: object) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} has a header entry other than dtype, shape and data_offsets")
    id, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(id, str) or id not in DTYPES:
        raise ValueError(f"tensor {name!r} has dtype {id!r}, which is not one of {', '.join(DTYPES)}")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name!r} has shape {shape!r} and offsets {offsets!r}")
    return id, tuple(shape), (offsets[0], offsets[1])


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
