"""Files that are whole or not there: written under a temporary name, flushed to the disk, then renamed."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to, which takes its place when the block ends.

    The name after a crash of the machine is that of the old file or of the whole new one. A block that fails leaves
    nothing behind. The directory must exist.
    """
    # Two hosts may write to a shared directory under the same process id.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)


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
