"""What an experiment is to do, as its plan.json says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from xorjax.dashboard.files import UnreadableError, is_name, read_object, text


class Stage(NamedTuple):
    """One artifact to be."""

    kind: str
    name: str
    epochs: int = 0


class Point(NamedTuple):
    """A point for people, the command that runs it alone, and its stages: indices into the plan's."""

    title: str
    command: str
    stages: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """The points by id, in order; nothing while there is no plan."""

    command: str = ""
    stages: tuple[Stage, ...] = ()
    points: dict[str, Point] = field(default_factory=dict)


def read_plan(path: Path) -> Plan:
    """Read plan.json.

    Raises:
        UnreadableError: it is not a plan; the message says what is wrong.
        OSError: the file cannot be read.
    """
    record = read_object(path)
    command = text(record.get("command")) or ""
    try:
        stages = tuple(_stage(stage) for stage in record["stages"])
        points = {name: _point(record["details"][name], len(stages)) for name in map(_name, record["points"])}
    except KeyError as error:
        again = f": repeat its command, {command}" if command else ""
        raise UnreadableError(f"{path.name} is of an older version{again}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise UnreadableError(f"{path.name} is not as the pipeline writes it") from error
    return Plan(command, stages, points)


def _name(value: object) -> str:
    if not is_name(value):
        raise ValueError
    return value


def _stage(value: dict[str, Any]) -> Stage:
    stage = Stage(_name(value["kind"]), _name(value["name"]), value["epochs"])
    if not isinstance(stage.epochs, int) or stage.epochs < 0:
        raise ValueError
    return stage


def _point(value: dict[str, Any], n_stages: int) -> Point:
    stages = tuple(value["stages"])
    if not all(isinstance(i, int) and 0 <= i < n_stages for i in stages):
        raise ValueError
    return Point(str(value["title"]), str(value["command"]), stages)
