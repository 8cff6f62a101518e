"""Locks between processes: the kernel's on a file (flock), so that one ends with its process, however that ends; on a
shared file system, with its host's lease. The file stays: it is the lock's name.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from xorjax.errors import UserError
from xorjax.files import naming


class Locked(UserError, RuntimeError):
    """Another process has the lock; the message says which."""


@contextmanager
def wait_for(file: Path) -> Iterator[None]:
    """While the block runs, nobody else is in one of the same file: they wait for each other.

    Raises:
        OSError: the file system has no such locks, or the file cannot be written.
    """
    with _held(file, blocking=True):
        yield


@contextmanager
def try_for(file: Path) -> Iterator[None]:
    """As `wait_for`, but nobody waits.

    Raises:
        Locked: somebody has the lock.
        OSError: as `wait_for`.
    """
    with _held(file, blocking=False):
        with naming(file):
            file.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        yield


@contextmanager
def _held(file: Path, blocking: bool) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True)
    # The package would make do with files that stay locked after a kill.
    lock = FileLock(file, blocking=blocking, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise Locked(file.read_text() or "another process") from None
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        why = "its file system has no locks (flock); runs must be on one that has"
        raise OSError(errno.ENOLCK, why, str(file)) from error
    try:
        yield
    finally:
        lock.release()
