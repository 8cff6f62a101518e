"""Which points a report shows, written by several commands and read when damaged."""

import json
import threading

import pytest
from tiny_sweep import points

from xorjax import paths
from xorjax.artifacts.claims import alone
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.plan_file import PlanError, write_plan


def test_plans_grow_by_one_command_at_a_time(tmp_path):
    """Two searches add their points at once: none is lost."""
    plans = {plan.point: plan for plan in map(make_plan, points(tmp_path))}
    report = paths.report_dir(tmp_path / "runs", "tiny")

    def add(point):
        with alone(tmp_path / "runs", "plan", "tiny"):
            write_plan(report, {point: plans[point]}, {point: "alone"}, "search", True)

    threads = [threading.Thread(target=add, args=(point,)) for point in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    plan = json.loads(paths.plan_file(report).read_text())
    assert sorted(plan["points"]) == sorted(plan["details"]) == sorted(plans)
    assert len(plan["stages"]) == len({stage.name for own in plans.values() for stage in own.stages}) == 21


@pytest.mark.parametrize("content", ['{"points": [', "[]", '{"command": "x"}', "\xff"])
def test_a_damaged_plan_that_a_point_would_be_added_to_is_refused_by_name(tmp_path, content):
    plan = make_plan(points(tmp_path)[0])
    report = paths.report_dir(tmp_path / "runs", "tiny")
    report.mkdir(parents=True)
    paths.plan_file(report).write_text(content, encoding="latin-1")
    with pytest.raises(PlanError, match=r"plan.json: it is damaged; delete it"):
        write_plan(report, {plan.point: plan}, {plan.point: "alone"}, "point", False)


def test_a_command_with_several_points_replaces_a_damaged_plan(tmp_path, capsys):
    plans = {plan.point: plan for plan in map(make_plan, points(tmp_path))}
    report = paths.report_dir(tmp_path / "runs", "tiny")
    report.mkdir(parents=True)
    paths.plan_file(report).write_text("{")
    assert write_plan(report, plans, dict.fromkeys(plans, "alone"), "sweep", False) == (0, "")
    assert capsys.readouterr().err.endswith("plan.json: it is damaged; it is replaced\n")
    assert json.loads(paths.plan_file(report).read_text())["points"] == list(plans)
