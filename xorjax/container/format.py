"""The names, ids and checksums of the format, for the writer and the reader. See `docs/format.md`."""

import hashlib
import re
import zlib

import numpy as np

from xorjax.container.tensors import Raw, data_of, dtype_id
from xorjax.errors import UserError

FORMAT = "xorjax"
VERSION = 3
METADATA_KEYS = {"format", "format_version"}
"""Of a file; one of version 1 or 2 has its spec beside them."""
HASH_DIGITS = 16
"""Of a hash: 64 bits, since what is compared may be wrong but is not forged."""
PACKED = "packed"
PARAMS = "params/"
# From the end: a layer may be called anything.
OF_LAYER = re.compile(r"layers/(.*)/(scales|mask/[^/]+|planes/\d+/[^/]+)", re.DOTALL)
SCALES = ("F32", "F16", "BF16")
BITS_PER_BYTE = 2**11
"""The layers' planes have together at most so many bits for each byte of the file: what a reader may have to allocate
is bounded."""


class ContainerError(UserError, ValueError):
    """A file that cannot be trusted, or a model that no file holds; the message names the file and the tensor or
    header field at fault."""


def shared_tensor(index: int, name: str) -> str:
    return f"shared/{index}/{name}"


def param_tensor(name: str) -> str:
    return f"{PARAMS}{name}"


def layer_tensor(layer: str, part: str) -> str:
    """`part` is "scales", "mask/STREAM" or "planes/PLANE/STREAM"."""
    return f"layers/{layer}/{part}"


def checksum(array: np.ndarray | Raw) -> str:
    """CRC-32 (zlib's), 8 hex digits, over the dtype, the shape and the bytes: "F32[500,10]" and the data."""
    prefix = f"{dtype_id(array)}[{','.join(map(str, array.shape))}]".encode()
    return f"{zlib.crc32(data_of(array), zlib.crc32(prefix)):08x}"


def check_sum(name: str, array: np.ndarray | Raw, expected: object) -> None:
    """Raises ValueError: the tensor does not have this checksum."""
    if checksum(array) != expected:
        raise ValueError(f"tensor {name!r} is damaged: its CRC-32 is not {expected}")


def array_sha256(array: np.ndarray) -> str:
    """SHA-256, in hex, over the bytes that a tensor of this array has."""
    return hashlib.sha256(data_of(array)).hexdigest()
