"""The names, ids and checksums of format version 1, for the writer and the reader. See `docs/format.md`."""

import zlib

import numpy as np

from xorjax.container.tensors import dtype_id

FORMATS = ("xorjax",)
VERSION = 1
METADATA_KEYS = {"format", "format_version", "spec", "spec_sha256"}
PARAMS = "params/"
MAX_PATCH_BLOCK = 2**24


class ContainerError(ValueError):
    """A file that cannot be trusted; the message names the file and the tensor or header field at fault."""


def network_tensor(index: int) -> str:
    return f"networks/{index}/matrix"


def param_tensor(name: str) -> str:
    return f"{PARAMS}{name}"


def layer_tensor(layer: str, part: str) -> str:
    """`part` is "scales", "mask/STREAM" or "planes/PLANE/STREAM"."""
    return f"layers/{layer}/{part}"


def checksum(array: np.ndarray) -> str:
    """CRC-32 (zlib's), 8 hex digits, over the dtype, the shape and the bytes: "F32[500,10]" and the data."""
    prefix = f"{dtype_id(array)}[{','.join(map(str, array.shape))}]".encode()
    data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return f"{zlib.crc32(data, zlib.crc32(prefix)):08x}"
