"""A finished point as its file holds it, checked; a file that did not change is read once in a process."""

from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from xorjax.errors import UserError
from xorjax.files import read_record
from xorjax.results.rows import COLUMNS, RowError, check_row

STATUSES = ("ok", "failed")
KEYS = ("point", "status", "rows", "error", "compressed", "curves")
_values = itemgetter(*COLUMNS)

_read: dict[Path, tuple[tuple[int, int], "Point"]] = {}
"""What was read of a point file, and when it had changed and how long it was."""


class CollectError(UserError, ValueError):
    """A plan or point file that cannot be read; the message names it."""


@dataclass(frozen=True)
class Point:
    """One finished point: its rows (one failed row where it failed) and the training curves behind it.

    A row is a tuple in the order of `COLUMNS`. Each curve is {"stage", "title", "metrics"}; `compressed`, the point's
    compressed file, and the metrics are paths below the runs directory.
    """

    name: str
    status: str
    error: str | None
    rows: tuple[tuple[Any, ...], ...]
    compressed: str
    curves: tuple[dict[str, str], ...]


def read_point(path: Path, name: str, experiment: str) -> Point:
    """The point `name` of `experiment` in the file `path`.

    Raises `CollectError` naming the file that is missing, damaged, lacks a key, or belongs to another point.
    """
    before, found = _read.get(path), path.stat()
    stamp = found.st_mtime_ns, found.st_size
    if before is not None and before[0] == stamp:
        return before[1]
    point = _checked(path, read_object(path, KEYS), name, experiment)
    _read[path] = (stamp, point)
    return point


def read_object(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object in a file; `CollectError` if it is missing, none, damaged, or lacks a key."""
    try:
        content = read_record(path)
    except FileNotFoundError:
        raise CollectError(f"{path} is missing") from None
    except ValueError as error:
        raise CollectError(f"{path} is damaged: {error}") from error
    for key in keys:
        if key not in content:
            raise CollectError(f"{path} lacks the key {key!r}")
    return content


def _checked(path: Path, content: dict[str, Any], name: str, experiment: str) -> Point:
    if content["point"] != name:
        raise CollectError(f"{path} holds the point {content['point']!r}, expected {name!r}")
    if content["status"] not in STATUSES:
        raise CollectError(f"{path} has the status {content['status']!r}, expected one of {STATUSES}")
    rows = content["rows"]
    if not rows:
        if content["status"] == "ok":
            raise CollectError(f"{path} has the status 'ok' and no rows")
        empty = dict.fromkeys(COLUMNS)
        rows = [empty | {"experiment": experiment, "point": name, "error": content["error"]}]
        rows[0]["status"] = "failed"
    try:
        for row in rows:
            # Written once for all of them.
            row.setdefault("config", content.get("config"))
            check_row(row)
    except RowError as error:
        raise CollectError(f"{path}: {error}") from error
    values, curves = tuple(_values(row) for row in rows), tuple(content["curves"])
    return Point(name, content["status"], content["error"], values, content["compressed"], curves)
