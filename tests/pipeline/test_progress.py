"""What a person is told."""

import json
from dataclasses import replace

import pytest
from tiny_sweep import points

from xorjax import paths
from xorjax.pipeline.graph import make_graph
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.point import titles
from xorjax.pipeline.progress import Progress


@pytest.fixture
def plans(tmp_path):
    return {plan.point: plan for plan in map(make_plan, points(tmp_path))}


def begun(tmp_path, plans):
    """Of a sweep whose dense model and first two levels of pruning are there."""
    plan = next(iter(plans.values()))
    found = {plan.dense.name: 20.0} | {level.name: 1.0 for level in plan.levels}
    return Progress(tmp_path / "runs", make_graph(plans), found, dict.fromkeys(plans, "alone"), len(plans), 1)


@pytest.fixture
def progress(tmp_path, plans):
    opened = begun(tmp_path, plans)
    yield opened
    opened.close()


def test_what_is_found_is_told_by_kind(tmp_path, plans, capsys):
    begun(tmp_path, plans).close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 points: 1 dense, 3 prune, 2 quantize, ")
    assert lines[1] == "3 of 16 stages found: 1 dense, 2 prune"


def test_a_training_that_goes_on_says_from_where_and_is_not_taken_for_fast(tmp_path, plans, progress, capsys):
    """Three epochs of it were trained by an earlier command: they are not of this one's seconds."""
    plan = list(plans.values())[-1]
    stage = replace(plan.levels[-1], epochs=4)
    before = progress.time_left()
    metrics = paths.partial_dir(tmp_path / "runs", stage.kind, stage.name) / paths.METRICS
    metrics.parent.mkdir(parents=True)
    metrics.write_text(3 * (json.dumps({"validation_accuracy": 0.5}) + "\n"))
    progress.begin(stage)
    assert f"prune {stage.name} goes on after epoch 3 of 4" in capsys.readouterr().out
    assert progress._running[stage.name].epochs == 3
    assert progress.time_left() <= before
    progress.end(stage, 8.0)
    assert progress._done["prune"] == 2 + 1
    assert progress._spent["prune"] == 2 + 8


def test_a_failure_while_the_time_is_read_from_another_thread_breaks_nothing(plans, progress):
    graph = make_graph(plans)
    for node in graph.values():
        progress.dropped(node.stage)
        progress._draw("")
    assert progress.time_left() == ""
    assert progress._to_do().total() == 0


def test_points_of_the_same_title_are_told_apart_by_what_differs(tmp_path, plans):
    assert next(iter(titles(plans).values())) == "S 0.8, n_in 12, n_out 64, seed 0"
    config = points(tmp_path)[0]
    optim = replace(config.quantize.optim, learning_rate=0.5)
    other = make_plan(replace(config, quantize=replace(config.quantize, optim=optim)))
    named = titles(plans | {other.point: other})
    assert named[other.point] == "S 0.8, n_in 12, n_out 64, seed 0, quantize.optim.learning_rate=0.5"
    assert named[make_plan(config).point].endswith("quantize.optim.learning_rate=0.002")
    assert len(set(named.values())) == 5
