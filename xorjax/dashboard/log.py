"""What happened to each stage last, and what those that finished took: stages.jsonl, read as it grows."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.dashboard.tail import Tail
from xorjax.dashboard.values import is_name, number, seconds_of, text

BEGAN = ("made", "resumed")
_RECENT = 400


@dataclass(frozen=True)
class Event:
    """One line. `time` in seconds since 1970; `message` says why, where it is one of trouble."""

    time: float | None
    event: str
    kind: str
    name: str
    host: str | None
    pid: int | None
    seconds: float | None
    message: str | None


class StageLog:
    """The log of a run directory; stages are named by (kind, name)."""

    def __init__(self, runs: Path):
        self._tail = Tail(paths.stage_log(runs))
        self._clear()
        self.version = 0

    def _clear(self) -> None:
        self.last: dict[tuple[str, str], Event] = {}
        self.began: dict[tuple[str, str], float] = {}
        self.seconds: dict[tuple[str, str], float] = {}
        self.recent: deque[Event] = deque(maxlen=_RECENT)

    def look(self) -> None:
        """Read the lines that are new."""
        void, records = self._tail.read()
        if void:
            self._clear()
        for event in filter(None, map(_event, records)):
            key = (event.kind, event.name)
            # Dict order is then the order of what happened last.
            self.last.pop(key, None)
            self.last[key] = event
            self.recent.append(event)
            if event.event in BEGAN and event.time:
                self.began[key] = event.time
            if event.event == "finished" and event.seconds is not None:
                self.seconds[key] = event.seconds
        self.version += bool(void or records)


def _event(record: dict[str, Any]) -> Event | None:
    kind, name, event = record.get("stage"), record.get("name"), text(record.get("event"))
    if not (is_name(kind) and is_name(name) and event):
        return None
    pid = record.get("pid")
    return Event(
        seconds_of(text(record.get("time"))),
        event,
        kind,
        name,
        text(record.get("host")),
        pid if isinstance(pid, int) and 0 < pid < 2**31 else None,
        number(record.get("seconds")),
        next((message for key in ("error", "reason") if (message := text(record.get(key)))), None),
    )
