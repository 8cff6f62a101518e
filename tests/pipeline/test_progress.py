"""What a person is told."""

import json
from dataclasses import replace

import pytest
from tiny_sweep import points

from xorjax import paths
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.point import titles
from xorjax.pipeline.progress import Progress


@pytest.fixture
def plans(tmp_path):
    return {plan.point: plan for plan in map(make_plan, points(tmp_path))}


def distinct(plans):
    return list({stage.name: stage for plan in plans.values() for stage in plan.stages}.values())


def begun(tmp_path, plans):
    """Of a sweep whose dense model and first two levels of pruning are there."""
    plan = next(iter(plans.values()))
    found = {plan.dense.name: 20.0} | {level.name: 1.0 for level in plan.levels}
    stages = distinct(plans)
    return Progress(tmp_path / "runs", stages, found, dict.fromkeys(plans, "alone"), len(plans), 1)


@pytest.fixture
def progress(tmp_path, plans):
    opened = begun(tmp_path, plans)
    yield opened
    opened.close()


def test_what_is_found_is_told_by_kind(tmp_path, plans, capsys):
    begun(tmp_path, plans).close()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 points: 1 dense, 3 unpruned, 2 reference, 3 prune, ")
    assert lines[1] == "3 of 21 stages found: 1 dense, 2 prune"


def test_stages_that_other_code_made_are_told(progress, capsys):
    progress.made_at("abc", {"abc": 3, "def+": 2, "": 1})
    told = "stages that other code made, by commit: 2 at def+, 1 at none; this is abc\n"
    assert capsys.readouterr().out.endswith(told)
    progress.made_at("abc", {"abc": 3})
    assert capsys.readouterr().out == ""


def test_a_training_that_goes_on_says_from_where(tmp_path, plans, progress, capsys):
    stage = replace(list(plans.values())[-1].levels[-1], epochs=4)
    metrics = paths.partial_dir(tmp_path / "runs", stage.kind, stage.name) / paths.METRICS
    metrics.parent.mkdir(parents=True)
    metrics.write_text(3 * (json.dumps({"validation_accuracy": 0.5}) + "\n"))
    progress.begin(stage)
    assert f"prune {stage.name} resumes after epoch 3 of 4" in capsys.readouterr().out
    progress.interrupted()
    assert capsys.readouterr().err == f"stopped in prune {stage.name}, epoch 3 of 4\n"


def test_the_time_left_is_nothing_once_all_is_dropped(plans, progress):
    stages = distinct(plans)
    for stage in (stage for stage in stages if stage.kind in ("unpruned", "reference", "quantize")):
        progress.dropped(stage)
    assert progress.time_left().endswith(" s left")
    for stage in stages:
        progress.dropped(stage)
    assert progress.time_left() == ""


def test_points_of_the_same_title_are_told_apart_by_what_differs(tmp_path, plans):
    assert next(iter(titles(plans).values())) == "S 0.8, xor, n_in 12, seed 0"
    config = points(tmp_path)[0]
    optim = replace(config.quantize.optim, learning_rate=0.5)
    other = make_plan(replace(config, quantize=replace(config.quantize, optim=optim)))
    named = titles(plans | {other.point: other})
    assert named[other.point] == "S 0.8, xor, n_in 12, seed 0, quantize.optim.learning_rate=0.5"
    assert named[make_plan(config).point].endswith("quantize.optim.learning_rate=0.002")
    assert len(set(named.values())) == 5
