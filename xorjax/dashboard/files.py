"""What files of strangers, of another version, or half written are allowed to say; and files that grow."""

import json
import os
import re
import stat
import time
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard

from xorjax.errors import UserError

_NAME = re.compile(r"[\w+=,@-][\w.+=,@ -]*", re.ASCII)
_HEAD = 64
_RACY_SECONDS = 2.0


class UnreadableError(UserError, ValueError):
    """A file is not what the pipeline writes; the message says how."""


def is_name(value: object) -> TypeGuard[str]:
    """Whether it is the name of a file in some directory, and nothing else."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        return None
    return float(value)


def text(value: object) -> str | None:
    """A text, or None."""
    return value if isinstance(value, str) else None


def seconds_of(time: object) -> float | None:
    """An ISO time in seconds since 1970, or None."""
    try:
        return datetime.fromisoformat(time).timestamp() if isinstance(time, str) else None
    except (ValueError, OverflowError):
        return None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        UnreadableError: it is none; names the file.
        OSError: the file cannot be read.
    """
    value = _object(path.read_bytes())
    if value is None:
        raise UnreadableError(f"{path.name} is not a JSON object")
    return value


def tag_of(path: Path) -> str | None:
    """Differs when the file does; None if there is none, or only a link to one elsewhere."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return f"{status.st_mtime_ns:x}-{status.st_size:x}" if stat.S_ISREG(status.st_mode) else None


def parse(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line, None if there is none.

    A torn line, and the whole object that was appended to it by the next process, is that object.
    """
    value = _object(line)
    return _object(line[max(0, line.rfind(b"{")) :]) if value is None else value


def _object(content: bytes) -> dict[str, Any] | None:
    """The JSON object; numbers that JSON does not know are None in it."""
    try:
        value = json.loads(content, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class Tail:
    """The JSON objects, one a line, of a file that grows. A line without its end is left for later."""

    def __init__(self, path: Path):
        self._path = path
        self._inode, self._offset, self._head = 0, 0, b""

    def read(self) -> tuple[bool, list[dict[str, Any]]]:
        """Whether what was read before is void, as the file is gone or another, and the objects that are new."""
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                # A new file may have the number of the one that was deleted: its first bytes tell.
                head = file.read(_HEAD)
                same = status.st_ino == self._inode and head.startswith(self._head)
                void = self._offset > 0 and not (same and status.st_size >= self._offset)
                if void:
                    self._offset = 0
                self._inode, self._head = status.st_ino, head
                file.seek(self._offset)
                content = file.read()
        except OSError:
            void, self._offset = self._offset > 0, 0
            return void, []
        end = content.rfind(b"\n") + 1
        self._offset += end
        values = (parse(line) for line in content[:end].split(b"\n"))
        return void, [value for value in values if value is not None]


class Listing:
    """The names in a directory, none while it does not exist."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.names: frozenset[str] = frozenset()
        self._seen: tuple[int, int] | None = None
        self.look()

    def look(self) -> bool:
        """Read the directory again if a name in it may be more, less, or replaced since; returns whether it did."""
        try:
            status = os.stat(self.directory)
            seen = (status.st_mtime_ns, status.st_ino)
            if seen == self._seen:
                return False
            self.names = frozenset(os.listdir(self.directory))
            # A clock of coarse ticks: what changes in the same tick after this look leaves the time as it is.
            self._seen = seen if time.time() - status.st_mtime > _RACY_SECONDS else None
        except OSError:
            self.names, self._seen = frozenset(), None
        return True
