"""What an experiment is to do, as its plan.json says."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from xorjax.dashboard.values import UnreadableError, is_name, read_object, text


class Stage(NamedTuple):
    """One artifact to be."""

    kind: str
    name: str
    epochs: int = 0


@dataclass(frozen=True)
class Detail:
    """A point for people, the command that runs it alone, and its stages: indices into the plan's.

    `values` are those of the settings that the points differ in, None where the plan does not say.
    """

    title: str
    command: str
    stages: tuple[int, ...]
    values: dict[str, Any] | None = None

    @property
    def setting(self) -> str | None:
        """The same text for points that differ in the seed alone; None if that is not known."""
        if self.values is None:
            return None
        return json.dumps({key: value for key, value in self.values.items() if key != "seed"}, sort_keys=True)


@dataclass(frozen=True)
class Planned:
    """The points in order, each with its details."""

    command: str
    points: tuple[str, ...]
    stages: tuple[Stage, ...]
    details: dict[str, Detail]


NOTHING = Planned("", (), (), {})


def read_planned(path: Path) -> Planned:
    """Read plan.json.

    Raises:
        UnreadableError: it is not a plan; the message says what is wrong.
        OSError: the file cannot be read.
    """
    record = read_object(path)
    points = record.get("points")
    if not isinstance(points, list) or not all(is_name(point) for point in points):
        raise UnreadableError(f"{path.name}: 'points' is not a list of names")
    points = tuple(dict.fromkeys(points))
    command = text(record.get("command")) or ""
    try:
        stages = tuple(_stage(stage) for stage in record["stages"])
        details = {point: _detail(record["details"][point], len(stages)) for point in points}
    except KeyError as error:
        named = f", {command}" if command else ""
        raise UnreadableError(f"{path.name} is of an older version: repeat its command{named}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise UnreadableError(
            f"{path.name}: 'stages' or 'details' is not as the pipeline writes it"
        ) from error
    return Planned(command, points, stages, details)


def _stage(value: dict[str, Any]) -> Stage:
    kind, name, epochs = value["kind"], value["name"], value["epochs"]
    if not (is_name(kind) and is_name(name) and isinstance(epochs, int) and epochs >= 0):
        raise ValueError("not a stage")
    return Stage(kind, name, epochs)


def _detail(value: dict[str, Any], n_stages: int) -> Detail:
    stages = tuple(value["stages"])
    if not all(isinstance(i, int) and 0 <= i < n_stages for i in stages):
        raise ValueError("not indices of stages")
    values = value.get("values")
    return Detail(
        str(value["title"]), str(value["command"]), stages, values if isinstance(values, dict) else None
    )
