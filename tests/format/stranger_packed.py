"""The tensor `packed` of docs/format.md: the spec, the small tensors, and what is left out at its usual value."""

import json
import zlib
from math import prod

import numpy as np

IDS = ["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "BF16", "F32", "F64"]
TYPES = ["?", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<u2", "<f4", "<f8"]
DTYPES = dict(zip(IDS, TYPES, strict=True))
LAYER = {"mask": None, "shared": {}, "notes": {}}
XOR = {"n_in": 20, "n_out": None, "slicing": "interleaved", "slicing_seed": 0, "patch_format": "care"}
XOR |= {"patch_block": 16, "method": "minimum", "seed": 0, "taps": None, "fill": None}
SETTINGS = {"xor": XOR, "trained": {"n_in": 8, "n_out": 20, "seed": 0, "taps": None}}


def array(content, dtype, shape, **rest):
    return np.frombuffer(content, DTYPES[dtype]).reshape(shape)


def bfloat16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def wide(stored, dtype, exponent):
    """The float32 that is stored as another dtype."""
    return bfloat16(stored) if dtype == "BF16" else (stored * 2.0**exponent).astype(np.float32)


def unpacked(tensors, header, sums):
    """All tensors, and the spec with what it leaves out; given those of the header, with their checksums."""
    data = tensors.pop("packed").tobytes()
    assert zlib.crc32(data[4:]) == int.from_bytes(data[:4], "little")
    inflate = zlib.decompressobj(-15)
    spec, behind = json.loads(inflate.decompress(data[4:])), inflate.unused_data
    assert tensors.keys() <= spec["tensors"].keys()
    for name, entry in sorted(spec["tensors"].items()):
        if "crc32" in entry:
            assert sums[name] == entry["crc32"]
            entry["dtype"] = header[name]["dtype"]
        else:
            n_bytes = prod(entry["shape"]) * np.dtype(DTYPES[entry["dtype"]]).itemsize
            tensors[name], behind = array(behind[:n_bytes], **entry), behind[n_bytes:]
        if "exponent" in entry:
            tensors[name] = wide(tensors[name], entry["dtype"], entry["exponent"])
    assert not behind
    for entry in spec["layers"].values():
        entry |= LAYER | entry
        entry["code"] = SETTINGS.get(entry["code"]["id"], {}) | entry["code"]
    return tensors, spec
