"""Files that are whole or not there: written under a temporary name, flushed to the disk, then renamed."""

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What only writing meets: no file that is read is at fault."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to, which takes its place when the block ends.

    The name after a crash of the machine is that of the old file or of the whole new one. A block that fails leaves
    nothing behind; what one left that was killed is removed by the next. A link is followed.

    Raises:
        OSError: as `place_of`, or the file cannot be written; the error names `path`.
    """
    place = place_of(path)
    _remove_leftovers(place)
    with naming(path):
        temporary, lock = _begin(place)
    try:
        with naming(path, temporary):
            yield temporary
            sync(temporary)
            os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)
    sync(place.parent)


def place_of(path: Path) -> Path:
    """Where a file is written that is to be at `path`: where links lead to, if it is one.

    Raises:
        OSError: there is something that is no file, such as a device or a pipe, which is never replaced, or the
            directory does not exist; the error names `path`.
    """
    return _place(path, stat.S_IFREG, "the name of a file")


def place_of_directory(path: Path) -> Path:
    """As `place_of`, of a directory."""
    return _place(path, stat.S_IFDIR, "a directory")


_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def _place(path: Path, kind: int, expected: str) -> Path:
    try:
        found = stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        found = kind
    if found != kind:
        why = f"it is {_KINDS.get(found, 'a device')}, expected {expected}"
        raise OSError(errno.EINVAL, why, str(path))
    place = Path(os.path.realpath(path)) if path.is_symlink() else path
    if not place.parent.is_dir():
        raise OSError(errno.ENOENT, f"its directory does not exist: {place.parent}", str(path))
    return place


def check_name(path: Path) -> None:
    """Raises OSError: the absolute name is no UTF-8, which SQLite, orbax and polars need; the error names `path`."""
    if not is_utf8(os.path.abspath(path)):
        why = "its absolute name is no UTF-8, as that of a run directory must be"
        raise OSError(errno.EILSEQ, why, str(path))


def is_utf8(text: str) -> bool:
    """Whether all of it is; the system's names and arguments may hold other bytes."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


@contextmanager
def naming(path: Path, temporary: Path | None = None) -> Iterator[None]:
    """A full disk, in whatever words a library puts it, is an `OSError` that names `path`; so is any error of the
    system about `temporary`.
    """
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number is None and (told := _TOLD_BY_RUST.search(str(error))):
            number = int(told[1])
        named = getattr(error, "filename", None)
        about_it = isinstance(error, OSError) and named is not None and str(named) == str(temporary)
        if number is None or not (about_it or number in FULL):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


_TOLD_BY_RUST = re.compile(r"\(os error (\d+)\)")


def _begin(place: Path) -> tuple[Path, int]:
    """A new temporary file, and a descriptor that holds its lock: as long as it does, somebody is writing it."""
    while True:
        # Two hosts may write to a shared directory under the same process id.
        temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
        lock = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):  # without locks nothing is ever taken for left
            fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(OSError):  # a private file stays one
            os.fchmod(lock, stat.S_IMODE(place.stat().st_mode))
        if temporary.exists():
            return temporary, lock
        os.close(lock)  # somebody has looked for what is left in between


def _remove_leftovers(place: Path) -> None:
    """Remove temporary files of `place` that nobody is writing, and say so."""
    pattern = re.compile(rf"\.{re.escape(place.name)}\.[0-9a-f]{{8}}\.tmp")
    with suppress(OSError):
        for name in filter(pattern.fullmatch, os.listdir(place.parent)):
            temporary = place.with_name(name)
            with suppress(OSError):
                lock = os.open(temporary, os.O_RDWR)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    temporary.unlink()
                    log.warning("%s: removed, a command that was killed had left it", temporary)
                finally:
                    os.close(lock)


def write_text(path: Path, text: str) -> None:
    """Write a whole file; its directory is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file's content, or a directory's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_record(path: Path, record: dict) -> None:
    """Write a JSON object with its own checksum in it, so that `read_record` tells damage."""
    write_text(path, json.dumps({**record, "sha256": record_sha256(record)}, indent=1))


def read_record(path: Path) -> dict:
    """A JSON object that `write_record` wrote, its checksum included; one written without any is taken as it is.

    Raises:
        ValueError: it is no JSON object, or not the one that was written.
    """
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"it holds a {type(record).__name__}, expected an object")
    if "sha256" in record and record["sha256"] != record_sha256(record):
        raise ValueError("its checksum is wrong")
    return record


def record_sha256(record: dict) -> str:
    """The SHA-256 of a JSON object without its key "sha256", whatever the order of its keys."""
    text = json.dumps(
        {key: value for key, value in record.items() if key != "sha256"},
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode()).hexdigest()
