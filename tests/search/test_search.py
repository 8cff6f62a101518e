import io
from dataclasses import replace

import pytest
from rich.console import Console
from trials import AXES, StubRun, StubSpace, outcome_of

from xorjax.config.axes import Choice, Steps
from xorjax.config.schema import Config
from xorjax.data import MissingData
from xorjax.pipeline.sweep import Outcome
from xorjax.search.loop import mean_result, search
from xorjax.search.table import front_table


def run_search(space, run, n_trials):
    console = Console(file=io.StringIO(), width=120)
    study, failures = search(space, n_trials, run, console)
    return study, failures, console.file.getvalue()


def test_trials_are_run_and_told(tmp_path):
    run = StubRun()
    study, failures, text = run_search(StubSpace(tmp_path), run, 5)
    assert failures == []
    assert [f.trial.settings for f in study.finished()] == run.calls
    assert [f.result for f in study.finished()] == [outcome_of(settings) for settings in run.calls]
    first = " ".join(f"{key}={value}" for key, value in run.calls[0].items())
    assert text.startswith(f"trial 1 of 5: {first}\n")
    assert text.count("bits/weight, validation accuracy") == 5


def test_the_same_command_finishes_what_is_left(tmp_path):
    whole = StubRun()
    run_search(StubSpace(tmp_path / "whole"), whole, 6)
    run = StubRun({3: "interrupt"})
    with pytest.raises(KeyboardInterrupt):
        run_search(StubSpace(tmp_path), run, 6)
    study, _, text = run_search(StubSpace(tmp_path), run, 6)
    assert run.calls == [*whole.calls[:3], *whole.calls[2:]]
    assert text.startswith("trial 3 of 6: ")
    assert len(study.finished()) == study.n_trials == 6
    _, _, text = run_search(StubSpace(tmp_path), run, 6)
    assert text == ""


def test_equal_settings_are_run_once(tmp_path):
    axes = AXES | {"rate": Choice(("0.5", "0.6")), "n_in": Steps(8, 8, 1)}
    run = StubRun()
    study, _, text = run_search(StubSpace(tmp_path, axes), run, 12)
    assert len(run.calls) == len({str(settings) for settings in run.calls}) <= 4
    assert len(study.finished()) == 12
    assert all(f.result == outcome_of(f.trial.settings) for f in study.finished())
    assert text.count("\n  as trial ") == 12 - len(run.calls)
    assert len(study.front()) == len({str(f.trial.settings) for f in study.front()})


def test_settings_that_cannot_be_are_said_and_not_run(tmp_path):
    run = StubRun()
    space = StubSpace(tmp_path, AXES | {"codec": Choice(("a", "bad"))})
    study, failures, text = run_search(space, run, 8)
    assert failures == []
    assert 0 < len(study.finished()) == len(run.calls) < 8
    assert len(study.reasons()) == 8 - len(run.calls)
    assert set(study.reasons().values()) == {"codec is 'bad'; it must be one of a, b"}
    assert text.count("  cannot be: codec is 'bad'") == 8 - len(run.calls)
    run_search(space, run, 8)
    assert len(run.calls) < 8


def test_points_that_fail_are_run_again_by_the_next_command(tmp_path):
    run = StubRun({2: "failed"})
    study, failures, _ = run_search(StubSpace(tmp_path), run, 3)
    assert [failure.error for failure in failures] == ["RuntimeError: a bug"]
    assert len(study.finished()) == 2
    assert study.reasons() == {1: "RuntimeError: a bug"}
    study, failures, _ = run_search(StubSpace(tmp_path), run, 3)
    assert failures == []
    assert run.calls[3] == run.calls[1]
    assert len(run.calls) == 4
    assert len(study.finished()) == study.n_trials == 3
    assert study.reasons() == {}


@pytest.mark.parametrize(("does", "on_error"), [("failed", "stop"), ("left", "continue")])
def test_a_run_that_stops_stops_the_search(tmp_path, does, on_error):
    run = StubRun({2: does})
    study, failures, _ = run_search(StubSpace(tmp_path, on_error=on_error), run, 5)
    assert len(run.calls) == 2
    assert len(failures) == (does == "failed")
    study, _, _ = run_search(StubSpace(tmp_path), run, 5)
    assert run.calls[2] == run.calls[1]
    assert len(study.finished()) == study.n_trials == 5


def test_a_result_is_the_mean_over_seeds_and_layers():
    def row(bits, n_weights, baseline=False, **metrics):
        return {"bits_per_weight": bits, "n_weights": n_weights, "baseline": baseline, **metrics}

    metrics = {"validation_metric": 0.8, "test_metric": 0.7}
    better = {"validation_metric": 0.9, "test_metric": 0.8}
    baseline = row(5.0, 100, True, **metrics)
    result = mean_result(
        [
            Outcome("a", "ok", [row(1.0, 100, **metrics), row(2.0, 300, **metrics), baseline]),
            Outcome("b", "ok", [row(0.25, 100, **better)]),
        ]
    )
    assert result.bits_per_weight == pytest.approx(1.0)
    assert result.validation_metric == pytest.approx(0.85)
    assert result.test_metric == pytest.approx(0.75)


def test_the_front_is_a_table(tmp_path):
    study, _, _ = run_search(StubSpace(tmp_path), StubRun(), 12)
    console = Console(file=io.StringIO(), width=120)
    console.print(front_table(study))
    lines = console.file.getvalue().splitlines()
    assert lines[0].strip() == "Front of 12 trials"
    assert [name.strip() for name in lines[2].split("┃")[1:-1]] == [
        *("trial", "rate", "n_in", "codec", "bits per weight", "validation accuracy", "test accuracy")
    ]
    bits = [float(line.split("│")[5]) for line in lines[4:-1]]
    assert bits == sorted(bits)
    assert len(bits) == len(study.front()) >= 2


def test_data_that_is_not_there_is_told_before_anything_is_made(tmp_path):
    """Also by a search that goes on; one that has all its trials needs no data."""
    space, run = StubSpace(tmp_path), StubRun()
    missing = replace(Config(), data=replace(Config().data, dir=str(tmp_path / "nowhere")))
    space.data = [missing]
    with pytest.raises(MissingData, match=r"no mnist in .*nowhere.*XORJAX_DATA says where else it lies"):
        run_search(space, run, 2)
    assert list(tmp_path.iterdir()) == []
    run_search(StubSpace(tmp_path), run, 2)
    assert run_search(space, run, 2)[0].n_trials == 2
    with pytest.raises(MissingData):
        run_search(space, run, 3)
    assert run_search(StubSpace(tmp_path), run, 2)[0].n_trials == 2
