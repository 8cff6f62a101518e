"""The names, ids and checksums of format version 1, for the writer and the reader. See `docs/format.md`."""

import zlib

import numpy as np

from xorjax.container.tensors import data_of, dtype_id

FORMATS = ("xorjax",)
VERSION = 1
METADATA_KEYS = {"format", "format_version", "spec", "spec_sha256"}
PARAMS = "params/"
MAX_PATCH_BLOCK = 2**24
MAX_LAYOUT_SEED = 2**64 - 1
WEIGHTS_PER_BYTE = 2**11
"""The layers have at most so many weights for each byte of the file: what a reader may have to allocate is bounded."""


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
    return f"{zlib.crc32(data_of(array), zlib.crc32(prefix)):08x}"
