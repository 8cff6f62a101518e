"""The tensor "packed" of a file: the spec, deflated, and behind it every small tensor.

A header of safetensors spends some 100 bytes on a tensor, which is much for a small network. So small tensors have no
entry there but one in the spec, and the spec leaves out what has its usual value.
"""

import json
import zlib
from collections.abc import Mapping
from math import prod
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import UInt8

from xorjax.container.format import PACKED, check_sum, checksum
from xorjax.container.narrow import widen
from xorjax.container.spec import LAYER_DEFAULTS, code_defaults, get
from xorjax.container.tensors import DTYPES, Raw, check_described, data_of, dtype_id, parse_json, tensor_of
from xorjax.errors import about

SMALL = 4096
"""Bytes of the largest tensor that is packed."""
MAX_RATIO = 64
"""A spec has at most so many bytes for each of "packed": what a reader may have to hold is bounded."""

Entry = dict[str, Any]


def entry_of(stored: np.ndarray | Raw, exponent: int | None) -> Entry:
    """What the spec says of a tensor, narrowed or not: a small one's dtype and shape, a large one's checksum."""
    if is_small(stored):
        entry = {"dtype": dtype_id(stored), "shape": list(stored.shape)}
    else:
        entry = {"crc32": checksum(stored)}
    return entry if exponent is None else entry | {"exponent": exponent}


def is_small(stored: np.ndarray | Raw) -> TypeGuard[np.ndarray]:
    return isinstance(stored, np.ndarray) and stored.nbytes <= SMALL


def pack(spec: dict[str, Any], small: Mapping[str, np.ndarray]) -> UInt8[np.ndarray, " _"]:
    """The tensor of a spec and of the small tensors that it has entries of."""
    text = json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()
    behind = b"".join(data_of(small[name]) for name in sorted(small))
    content = _deflated(text, 9) + behind
    if len(text) > MAX_RATIO * len(content):
        content = _deflated(text, 0) + behind
    return np.frombuffer(zlib.crc32(content).to_bytes(4, "little") + content, np.uint8)


def _deflated(text: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 9)
    return compressor.compress(text) + compressor.flush()


def unpack(tensors: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """All tensors of a file whose own are `tensors`, and the spec, both as version 2 has them but for short hashes.

    Raises:
        ValueError: a tensor is missing, damaged or not in the spec, or the spec is malformed.
    """
    spec, behind = _read(tensors)
    entries, found = get(spec, "tensors", dict), {}
    for name in sorted(tensors.keys() - entries.keys() - {PACKED}):
        raise ValueError(f"tensor {name!r} is not in the spec")
    for name, entry in sorted(entries.items()):
        if not isinstance(entry, dict):
            raise ValueError(f"spec: the entry of tensor {name!r} is not an object")
        keys = entry.keys() - {"exponent"}
        if keys == {"crc32"}:
            if name not in tensors:
                raise ValueError(f"tensor {name!r} is missing")
            check_sum(name, tensors[name], entry["crc32"])
            found[name] = tensors[name]
        elif keys == {"dtype", "shape"}:
            found[name], behind = _small(name, entry, behind)
        else:
            raise ValueError(f"spec: the entry of tensor {name!r} has the keys {sorted(entry)}")
        if "exponent" in entry:
            found[name] = _wide(name, found[name], entry["exponent"])
    if behind:
        raise ValueError(f"tensor {PACKED!r} has {len(behind)} bytes behind those of the spec's tensors")
    layers = {name: _completed(entry) for name, entry in get(spec, "layers", dict).items()}
    return found, spec | {"layers": layers}


def packed_bytes(packed: UInt8[np.ndarray, " _"]) -> dict[str, int]:
    """The bytes of each small tensor of a file that `unpack` takes."""
    spec, _ = _read({PACKED: packed})
    return {
        name: DTYPES[entry["dtype"]].itemsize * prod(entry["shape"])
        for name, entry in spec["tensors"].items()
        if "dtype" in entry
    }


def _read(tensors: Mapping[str, Any]) -> tuple[dict[str, Any], memoryview]:
    """The spec, and what is behind it."""
    if PACKED not in tensors:
        raise ValueError(f"tensor {PACKED!r} is missing")
    packed = tensors[PACKED]
    if not isinstance(packed, np.ndarray) or packed.dtype != np.uint8 or packed.ndim != 1 or len(packed) < 4:
        raise ValueError(f"tensor {PACKED!r} is {packed.dtype}{list(packed.shape)}, not 4 bytes or more")
    data = packed.data
    if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
        raise ValueError(f"tensor {PACKED!r} is damaged: its first 4 bytes are not the CRC-32 of the others")
    most, inflate = MAX_RATIO * (len(data) - 4), zlib.decompressobj(-15)
    try:
        text = inflate.decompress(data[4:], most + 1)
    except zlib.error as error:
        raise ValueError(f"tensor {PACKED!r} begins with no deflated spec ({error})") from error
    if not inflate.eof:
        what = "is longer than any" if len(text) > most else "is cut short"
        raise ValueError(f"tensor {PACKED!r}: its spec {what}")
    return parse_json(text, "spec"), data[len(data) - len(inflate.unused_data) :]


def _small(name: str, entry: Entry, behind: memoryview) -> tuple[np.ndarray, memoryview]:
    id, shape = entry["dtype"], entry["shape"]
    check_described(name, id, shape)
    if id not in DTYPES:
        raise ValueError(f"tensor {name!r} is packed and has dtype {id}, expected one of {', '.join(DTYPES)}")
    n_bytes = DTYPES[id].itemsize * prod(shape)
    if n_bytes > len(behind):
        raise ValueError(f"tensor {name!r} ends {n_bytes - len(behind)} bytes behind tensor {PACKED!r}")
    return tensor_of(name, behind, (id, tuple(shape), 0, n_bytes)), behind[n_bytes:]


def _wide(name: str, stored: np.ndarray | Raw, exponent: object) -> np.ndarray:
    if type(exponent) is not int or isinstance(stored, Raw):
        raise ValueError(f"tensor {name!r} is {stored.dtype} with exponent {exponent!r}")
    with about(f"tensor {name!r}"):
        return widen(stored, exponent)


def _completed(entry: object) -> object:
    """The entry of a layer with what was left out; one that is malformed is refused by who reads it."""
    if not isinstance(entry, dict):
        return entry
    code = entry.get("code")
    return LAYER_DEFAULTS | entry | ({"code": code_defaults(code) | code} if isinstance(code, dict) else {})
