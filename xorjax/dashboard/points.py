"""The finished points of an experiment: each file read once, and again when it is replaced."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xorjax.dashboard.listing import Listing
from xorjax.dashboard.values import UnreadableError, number, read_object, seconds_of, text
from xorjax.metric import Metric
from xorjax.streams import bits_over_layers


@dataclass(frozen=True)
class Result:
    """What became of a point.

    `validation` and `test` are values of `metric`, `reference_*` the reference's, `dense_test` the dense model's;
    `bits` are bits per weight over all its encoded layers, `seconds` what its stages took. `n_*` are numbers of
    examples in the splits.
    """

    status: str
    error: str | None = None
    time: float | None = None
    prune_rate: float | None = None
    seed: float | None = None
    mask_codec: str | None = None
    metric: Metric | None = None
    bits: float | None = None
    validation: float | None = None
    test: float | None = None
    reference_validation: float | None = None
    reference_test: float | None = None
    dense_test: float | None = None
    seconds: float | None = None
    n_validation: float | None = None
    n_test: float | None = None


class PointFiles:
    """The results in a report's directory of points, by the points' ids."""

    def __init__(self, directory: Path):
        self.results: dict[str, Result] = {}
        self.version = 0
        self._listing = Listing(directory)
        self._read: dict[str, tuple[int, int, int]] = {}
        self._unread: dict[str, tuple[int, int, int]] = {}
        self._listed = False

    @property
    def n_unread(self) -> int:
        return len(self._unread)

    @property
    def changed(self) -> float:
        """When a point was last written, in seconds since 1970."""
        return max((entry[0] for entry in self._read.values()), default=0) / 1e9

    def look(self, points: Iterable[str], limit: int) -> int:
        """Read at most `limit` of the files that are new or replaced; returns how many were read.

        Only files of `points`: whatever else lies there is none of them.
        """
        if self._listing.look() or not self._listed:
            self._listed = True
            self._list(set(points))
        chosen = list(self._unread.items())[:limit]
        for point, entry in chosen:
            del self._unread[point]
            try:
                self.results[point] = _read(self._listing.directory / f"{point}.json", point)
            except OSError:
                continue
            self._read[point] = entry
            self.version += 1
        return len(chosen)

    def forget_listing(self) -> None:
        """The points of interest are others now."""
        self._listed = False

    def _list(self, points: set[str]) -> None:
        found = {}
        with suppress(OSError), os.scandir(self._listing.directory) as entries:
            for file in entries:
                point, _, extension = file.name.rpartition(".")
                if extension == "json" and point in points:
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
        result = _of_rows(
            [row for row in _list(record.get("rows")) if isinstance(row, dict)], record.get("config")
        )
        if record.get("status") == "failed":
            error = text(record.get("error")) or "failed; its file does not say why"
            return replace(result, status="failed", error=error, time=written)
        if record.get("status") != "ok":
            raise UnreadableError(f"{path.name}: its status is neither 'ok' nor 'failed'")
        return replace(result, time=result.time or written)
    except UnreadableError as error:
        return Result("unreadable", str(error), written)


def _of_rows(rows: list[dict[str, Any]], config: object) -> Result:
    """The rows of the own code of one point, and its config."""
    own = [row for row in rows if row.get("baseline") is False] or rows[:1]
    if not own:
        return Result("ok")
    first, rate = own[0], _of(config, "prune", "rate")
    return Result(
        "ok",
        time=seconds_of(text(first.get("finished_at"))),
        # The point's, which layers with one of their own need not have.
        prune_rate=number(first.get("prune_rate") if rate is None else rate),
        seed=number(first.get("seed")),
        mask_codec=text(first.get("mask_codec")),
        metric=_metric(first),
        bits=_bits(own),
        validation=number(first.get("validation_metric")),
        test=number(first.get("test_metric")),
        reference_validation=number(first.get("reference_validation_metric")),
        reference_test=number(first.get("reference_metric")),
        dense_test=number(first.get("dense_metric")),
        seconds=number(first.get("wall_seconds")),
        n_validation=number(_of(config, "data", "n_validation")),
        n_test=number(first.get("n_test")),
    )


def _of(config: object, group: str, name: str) -> object:
    inside = config.get(group) if isinstance(config, dict) else None
    return inside.get(name) if isinstance(inside, dict) else None


def _metric(row: dict[str, Any]) -> Metric | None:
    name, unit = text(row.get("metric")), text(row.get("metric_unit"))
    if name is None or unit is None:
        return None
    return Metric(
        name, unit, row.get("higher_is_better") is not False, number(row.get("metric_tolerance")) or 0.0
    )


def _bits(rows: list[dict[str, Any]]) -> float | None:
    """Bits per weight over all layers; None if a row does not say its own."""
    found = [{name: number(row.get(name)) for name in ("n_weights", "bits_per_weight")} for row in rows]
    if any(None in row.values() for row in found) or sum(row["n_weights"] or 0 for row in found) <= 0:
        return None
    return bits_over_layers(found)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
