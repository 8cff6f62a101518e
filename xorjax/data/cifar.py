"""The binary format of CIFAR-10: rows of one byte for the label and 1,024 each for red, green and blue."""

import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from xorjax.data.catalogue import DataError


def read_batch(
    path: Path, shape: tuple[int, ...], md5: str
) -> tuple[UInt8[np.ndarray, "n height width 3"], UInt8[np.ndarray, " n"]]:
    """Read one file of `shape`, (n, 1 + 3 side^2), and check all of it: images, channels last, and labels.

    Raises:
        DataError: another length or another content; names the file.
    """
    content = path.read_bytes()
    if len(content) != np.prod(shape):
        raise DataError(f"{path} is damaged: {len(content)} bytes, expected {np.prod(shape)}.")
    if (digest := hashlib.md5(content, usedforsecurity=False).hexdigest()) != md5:
        raise DataError(f"{path} is not the canonical file: its content has md5 {digest}, expected {md5}.")
    rows = np.frombuffer(content, np.uint8).reshape(shape)
    side = int(((shape[1] - 1) // 3) ** 0.5)
    return rows[:, 1:].reshape(-1, 3, side, side).transpose(0, 2, 3, 1), rows[:, 0]
