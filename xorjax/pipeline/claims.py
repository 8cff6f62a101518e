"""One maker a stage: commands that share a run directory claim what they make, and take something else meanwhile.

A claim is a kernel's lock on a file (flock), so that it ends with its process, however that ends; on a shared file
system, with the host's lease.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from xorjax import paths
from xorjax.pipeline.plan import Stage


class Claimed(Exception):
    """Another process is making the stage; the message says which."""


@contextmanager
def alone(runs: Path, kind: str, name: str) -> Iterator[None]:
    """While the block runs, nobody else is in one of the same name: they wait for each other."""
    file = paths.claim_file(runs, kind, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file):
        yield


@contextmanager
def claim(runs: Path, stage: Stage) -> Iterator[None]:
    """While the block runs, nobody else makes the stage.

    Raises:
        Claimed: somebody does already.
    """
    file = paths.claim_file(runs, stage.kind, stage.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise Claimed(file.read_text() or "another process") from None
    try:
        file.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        lock.release()
