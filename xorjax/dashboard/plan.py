"""What an experiment is to do, as its plan.json says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

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
        stages = tuple(Stage(stage["kind"], stage["name"], stage["epochs"]) for stage in record["stages"])
        points = {}
        for name in record["points"]:
            of = record["details"][name]
            points[name] = Point(str(of["title"]), str(of["command"]), tuple(of["stages"]))
        indices = [i for point in points.values() for i in point.stages]
        if not (
            all(map(is_name, (*points, *(name for stage in stages for name in stage[:2]))))
            and all(isinstance(n, int) and n >= 0 for n in (*indices, *(stage.epochs for stage in stages)))
            and max(indices, default=-1) < len(stages)
        ):
            raise ValueError
    except KeyError as error:
        again = f": repeat its command, {command}" if command else ""
        raise UnreadableError(f"{path.name} is of an older version{again}") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise UnreadableError(f"{path.name} is not as the pipeline writes it") from error
    return Plan(command, stages, points)
