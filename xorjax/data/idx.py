"""The idx format of MNIST: a big-endian header of sizes, then unsigned bytes. Files may be gzipped or not."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from xorjax.data.catalogue import DataError

UNSIGNED_BYTE = 8


def read_idx(path: Path, shape: tuple[int, ...], md5: str) -> UInt8[np.ndarray, "*shape"]:
    """Read one idx file and check all of it.

    Raises:
        DataError: not a whole gzip or idx file, another shape, or another content; names the file.
    """
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: not a whole gzip file ({error}).") from error
    n_dims = len(shape)
    header = 4 + 4 * n_dims
    if len(content) < header or content[:4] != bytes([0, 0, UNSIGNED_BYTE, n_dims]):
        raise DataError(f"{path} is not an idx file of unsigned bytes in {n_dims} dimension(s).")
    found = tuple(np.frombuffer(content, ">u4", n_dims, offset=4).tolist())
    if found != shape:
        raise DataError(f"{path} is the wrong file: it holds an array of shape {found}, expected {shape}.")
    expected = header + int(np.prod(shape))
    if len(content) != expected:
        raise DataError(f"{path} is damaged: {len(content)} bytes unpacked, expected {expected}.")
    if (digest := hashlib.md5(content, usedforsecurity=False).hexdigest()) != md5:
        raise DataError(f"{path} is not the canonical file: its content has md5 {digest}, expected {md5}.")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
