"""Which points a report shows, written down before the first of them is made: what a page or a dashboard goes by."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xorjax import paths
from xorjax.config.reads import determining
from xorjax.errors import UserError
from xorjax.files import write_text
from xorjax.pipeline.plan import Plan
from xorjax.pipeline.point import titles


class PlanError(UserError, ValueError):
    """What is there is no plan."""


def write_plan(
    report: Path, plans: Mapping[str, Plan], commands: Mapping[str, str], command: str, grow: bool
) -> tuple[int, str]:
    """Write down which points the command will run, and of which stages each is made.

    A command with several points sets what the report shows; one with a single point, or one that lets it grow, adds
    to what is there. What the points differ in stands in the plan: "swept" has the values of each such setting, the
    details of a point its own, and "shared" the settings that are the same for all.

    Returns:
        How many points of earlier commands the report no longer shows, and the command that set them. Their records
        stay.

    Raises:
        PlanError: the plan to add to is damaged.
    """
    file = paths.plan_file(report)
    adds = grow or len(plans) == 1
    before: dict = {"points": [], "command": ""}
    try:
        before = _read_plan(file)
    except FileNotFoundError:
        pass
    except PlanError as error:
        if adds:
            raise PlanError(
                f"{error}; delete it, then run again the commands whose points the report should show"
            ) from None
        print(f"{error}; it is replaced", file=sys.stderr, flush=True)
    set_by = str(before["command"])
    points, details = list(plans), _details(plans, commands)
    if adds and before["points"]:
        points = list(dict.fromkeys([*before["points"], *points]))
        command = set_by
        details = _known_details(before) | details
    # Points that a search asked for, one trial after the other.
    searched = set(before.get("searched", ())) | (set(plans) - set(before["points"]) if grow else set())
    stages = {
        stage: i for i, stage in enumerate(dict.fromkeys(s for d in details.values() for s in d["stages"]))
    }
    shared = before.get("shared", {})
    settings = {point: shared | details[point].get("values", {}) for point in points if point in details}
    settings |= {point: determining(plan.config) for point, plan in plans.items()}
    values = _values(settings)
    swept = {key: found for key, found in values.items() if len(found) > 1}
    for point, own in settings.items():
        details[point]["values"] = {key: own[key] for key in swept if key in own}
    plan = {
        "experiment": report.name,
        "points": points,
        "command": command,
        "searched": sorted(searched & set(points)),
        "swept": swept,
        "shared": {key: found[0] for key, found in values.items() if len(found) == 1},
        "stages": [{"kind": kind, "name": name, "epochs": epochs} for kind, name, epochs in stages],
        "details": {p: {**d, "stages": [stages[stage] for stage in d["stages"]]} for p, d in details.items()},
    }
    write_text(file, json.dumps(plan))
    return len(set(before["points"]) - set(points)), set_by


def _values(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, list]:
    """The values that each setting has, as they come."""
    values: dict[str, list] = {}
    for own in settings.values():
        for key, value in own.items():
            found = values.setdefault(key, [])
            if value not in found:
                found.append(value)
    return values


def _read_plan(file: Path) -> dict:
    try:
        plan = json.loads(file.read_text())
        whole = plan.keys() >= {"points", "command"}
    except (ValueError, AttributeError):
        whole = False
    if not whole:
        raise PlanError(f"{file}: it is damaged")
    return plan


def _details(plans: Mapping[str, Plan], commands: Mapping[str, str]) -> dict[str, dict]:
    named = titles(plans)
    return {
        point: {
            "title": named[point],
            "command": commands[point],
            "stages": [(stage.kind, stage.name, stage.epochs) for stage in plan.stages],
        }
        for point, plan in plans.items()
    }


def _known_details(plan: Mapping) -> dict[str, dict]:
    """The details in a plan that was written before, its stages in full."""
    stages = [(s["kind"], s["name"], s["epochs"]) for s in plan.get("stages", ())]
    details = plan.get("details", {}).items()
    return {point: {**d, "stages": [stages[i] for i in d["stages"]]} for point, d in details}
