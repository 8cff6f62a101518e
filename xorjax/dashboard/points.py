"""The finished points of an experiment: each file read once, and again when it is replaced."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from xorjax.dashboard.files import Listing, UnreadableError, read_object, tag_of, text


class Result(NamedTuple):
    """What became of a point: "ok", "failed" or "unreadable" with an error, and when, in seconds since 1970."""

    status: str
    error: str
    time: float
    tag: str


class PointFiles:
    """The results in a report's directory of points, by the points' ids."""

    def __init__(self, directory: Path):
        self.results: dict[str, Result] = {}
        """Another dict whenever one of them is another."""
        self.unread: list[tuple[str, str]] = []
        """Points whose files are still to be read, and the tags of these."""
        self._listing = Listing(directory)
        self._points: Collection[str] = ()

    def look(self, points: Collection[str], limit: int) -> int:
        """Read at most `limit` of the files of `points` that are new or replaced; returns how many were read."""
        if self._listing.look() or points is not self._points:
            self._points = points
            there = [point for point in points if f"{point}.json" in self._listing.names]
            tags = {point: tag for point in there if (tag := tag_of(self._path(point)))}
            self.unread = [
                (point, tag)
                for point, tag in tags.items()
                if point not in self.results or self.results[point].tag != tag
            ]
            if not self.results.keys() <= tags.keys():
                self.results = {point: result for point, result in self.results.items() if point in tags}
        chosen, self.unread = self.unread[:limit], self.unread[limit:]
        read = {}
        for point, tag in chosen:
            with suppress(OSError):
                read[point] = _read(self._path(point), point, tag)
        if read:
            self.results = self.results | read
        return len(chosen)

    def _path(self, point: str) -> Path:
        return self._listing.directory / f"{point}.json"


def _read(path: Path, point: str, tag: str) -> Result:
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
        return Result("unreadable", str(error), written, tag)
    why = text(record.get("error")) or "failed; its file does not say why"
    return Result(status, why if status == "failed" else "", written, tag)
