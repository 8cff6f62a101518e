"""The stages of all points of a command, each once, with what it needs: what is to be made, and in which order."""

from collections.abc import Mapping
from dataclasses import dataclass

from xorjax.pipeline.plan import Plan, Stage


@dataclass(frozen=True)
class Node:
    """One stage, as the first of the points that share it describes it.

    Attributes:
        needs: the names of the stages that it is made from.
        points: the points that rest on it.
    """

    stage: Stage
    plan: Plan
    needs: tuple[str, ...]
    points: tuple[str, ...]


def make_graph(plans: Mapping[str, Plan]) -> dict[str, Node]:
    """The nodes by name: those of the first point first, so that points finish early and in order.

    Args:
        plans: the points by id.
    """
    first: dict[str, tuple[Stage, Plan]] = {}
    points: dict[str, list[str]] = {}
    for point, plan in plans.items():
        for stage in plan.stages:
            first.setdefault(stage.name, (stage, plan))
            points.setdefault(stage.name, []).append(point)
    return {
        name: Node(stage, plan, tuple(need.name for need in plan.needs(stage)), tuple(points[name]))
        for name, (stage, plan) in first.items()
    }
