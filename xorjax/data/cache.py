"""Arrays on disk: a directory of .npy files with their checksums, whole or not there."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xorjax.locks import wait_for

MANIFEST = "manifest.json"
TEMPORARY = ".tmp-"


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which a killed process gives up, and clear what such a process left behind, and what
    a block that fails does.
    """
    with wait_for(directory / ".lock"):
        _clear(directory)
        try:
            yield
        finally:
            _clear(directory)


def _clear(directory: Path) -> None:
    for leftover in directory.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover)


def write_arrays(directory: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write `directory` under a temporary name beside it and rename it; an old one is replaced.

    The caller holds the lock of the parent directory.
    """
    temporary = directory.with_name(TEMPORARY + directory.name)
    temporary.mkdir()
    manifest = {}
    for name, array in arrays.items():
        np.save(temporary / f"{name}.npy", array)
        manifest[name] = _digest(array)
    (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1))
    if directory.exists():
        shutil.rmtree(directory)
    os.rename(temporary, directory)


def read_arrays(directory: Path) -> dict[str, np.ndarray] | None:
    """The arrays of `directory`, or None if it is not there or anything in it fails its checksum."""
    try:
        manifest = dict(json.loads((directory / MANIFEST).read_text()))
        arrays = {name: np.load(directory / f"{name}.npy", allow_pickle=False) for name in manifest}
        whole = all(_digest(arrays[name]) == manifest[name] for name in manifest)
    except Exception:  # reading what is damaged raises whatever it pleases
        return None
    return arrays if arrays and whole else None


def _digest(array: np.ndarray) -> str:
    header = f"{array.dtype.str} {array.shape} ".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()
