"""Files of JSON lines that grow: each line is read once, whatever state the last one is in."""

import json
import os
from pathlib import Path
from typing import Any

_HEAD = 64


class Tail:
    """The JSON objects of one file, as it grows. A line without its end is left for later."""

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


def parse(line: bytes) -> dict[str, Any] | None:
    """The JSON object of a line, None if there is none; numbers that JSON does not know are None in it.

    A torn line, and the whole object that was appended to it by the next process, is that object.
    """
    for text in (line, line[max(0, line.rfind(b"{")) :]):
        try:
            value = json.loads(text, parse_constant=lambda name: None)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None
