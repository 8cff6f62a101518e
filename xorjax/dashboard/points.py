"""The finished points of an experiment: each file read once, and again when it is replaced."""

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from xorjax.dashboard.files import Listing, UnreadableError, read_object, text


class Result(NamedTuple):
    """What became of a point: "ok", "failed" or "unreadable" with an error, and when, in seconds since 1970."""

    status: str
    error: str
    time: float


class PointFiles:
    """The results in a report's directory of points, by the points' ids."""

    def __init__(self, directory: Path):
        self.results: dict[str, Result] = {}
        self.version = 0
        self._listing = Listing(directory)
        self._points: Collection[str] = ()
        self._read: dict[str, tuple[int, int, int]] = {}
        self._unread: dict[str, tuple[int, int, int]] = {}

    @property
    def n_unread(self) -> int:
        return len(self._unread)

    def look(self, points: Collection[str], limit: int) -> int:
        """Read at most `limit` of the files that are new or replaced; returns how many were read.

        Only files of `points`: whatever else lies there is none of them.
        """
        if self._listing.look() or points is not self._points:
            self._points = points
            self._list()
        chosen = list(self._unread.items())[:limit]
        for point, entry in chosen:
            del self._unread[point]
            with suppress(OSError):
                self.results[point] = _read(self._listing.directory / f"{point}.json", point)
                self._read[point] = entry
                self.version += 1
        return len(chosen)

    def _list(self) -> None:
        found = {}
        with suppress(OSError), os.scandir(self._listing.directory) as entries:
            for file in entries:
                point, _, extension = file.name.rpartition(".")
                if extension == "json" and point in self._points:
                    with suppress(FileNotFoundError):
                        status = file.stat()
                        found[point] = (status.st_mtime_ns, status.st_size, status.st_ino)
        self._unread = {point: entry for point, entry in found.items() if self._read.get(point) != entry}
        for point in self.results.keys() - found.keys():
            del self.results[point], self._read[point]
            self.version += 1


def _read(path: Path, point: str) -> Result:
    """What a point file says; one that says nothing understandable is a failure to be looked at.

    Raises:
        OSError: the file cannot be read.
    """
    written = path.stat().st_mtime
    try:
        record = read_object(path)
        if record.get("point") != point:
            raise UnreadableError(f"{path.name} is of another point")
        status = record.get("status")
        if status not in ("ok", "failed"):
            raise UnreadableError(f"{path.name}: its status is neither 'ok' nor 'failed'")
    except UnreadableError as error:
        return Result("unreadable", str(error), written)
    why = text(record.get("error")) or "failed; its file does not say why"
    return Result(status, why if status == "failed" else "", written)
