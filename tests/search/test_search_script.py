"""scripts/search.py on the real pipeline: stopped in the middle of trials, and repeated."""

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from xorjax.config.space import open_space
from xorjax.search.study import Study

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES = [
    *("+experiment=lenet_search", "+debug=quick", "data.n_train=1000", "prune.schedule.levels=1"),
    *(
        "prune.rate=choice(0.9,0.95)",
        "code.n_in=interval(8,40)",
        "mask=choice(ans_rc,bitmap)",
        "code.taps=null",
    ),
]
SCRIPT = str(ROOT / "scripts" / "search.py")


def start(runs: Path, *more: str, n_trials: int = 4) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, SCRIPT, *OVERRIDES, *more, "--trials", str(n_trials)],
        env=os.environ | {"XORJAX_RUNS": str(runs)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop_in(process: subprocess.Popen, trial: int, how: signal.Signals) -> tuple[int, str]:
    """Stop a search as soon as the stages of a trial are begun; its exit code and what it said to standard error."""
    for line in process.stdout:
        if line.startswith(f"trial {trial} of 4"):
            # The pipeline's own line: a point is under way.
            assert "1 point" in next(process.stdout)
            process.send_signal(how)
            break
    _, errors = process.communicate()
    return process.returncode, errors


def open_study(runs: Path, *more: str) -> Study:
    with open_space(ROOT / "conf", [*OVERRIDES, *more]) as space:
        return Study(runs, space.experiment, space.name, space.axes, space.metric)


def trials(study: Study) -> list[tuple]:
    return [(f.trial.number, f.trial.settings, f.result.bits_per_weight) for f in study.finished()]


@pytest.mark.slow
def test_a_search_that_is_stopped_and_killed_ends_as_one_that_is_not(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    output, errors = (process := start(whole)).communicate()
    assert (process.returncode, errors) == (0, "")
    assert "Front of 4 trials" in output

    code, errors = stop_in(start(stopped), 1, signal.SIGINT)
    assert code == 130
    assert errors.rstrip().endswith(
        f"interrupted; to resume: python scripts/search.py {shlex.join([*OVERRIDES, '--trials', '4'])}"
    )
    assert stop_in(start(stopped), 2, signal.SIGKILL)[0] == -signal.SIGKILL
    assert open_study(stopped).n_trials == 2
    output, errors = (process := start(stopped)).communicate()
    assert (process.returncode, errors) == (0, "")
    assert output.startswith("trial 2 of 4")

    assert trials(open_study(stopped)) == trials(open_study(whole))
    assert open_study(stopped).n_trials == 4
    # No stage was made twice, and the report shows all points.
    events = [json.loads(line) for line in (stopped / "stages.jsonl").read_text().splitlines()]
    finished = [event["name"] for event in events if event["event"] == "finished"]
    assert len(finished) == len(set(finished))
    plans = [json.loads((runs / "reports" / "debug" / "plan.json").read_text()) for runs in (stopped, whole)]
    assert plans[0]["points"] == plans[1]["points"]
    assert len(list((stopped / "reports" / "debug" / "points").iterdir())) == len(plans[0]["points"])
    report = stopped / "reports" / "debug" / "report.html"
    assert report.is_file()
    # A command that finds nothing left to run still leaves the report whole.
    report.unlink()
    _, errors = (process := start(stopped)).communicate()
    assert (process.returncode, errors) == (0, "")
    assert report.is_file()


@pytest.mark.slow
def test_stages_of_a_trial_are_made_by_the_engine_that_is_chosen(tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    joblib = ("hydra/launcher=joblib", "hydra.launcher.engine.n_jobs=2")
    for runs, launcher in ((alone, ()), (together, joblib)):
        output, errors = (process := start(runs, "seed=0,1", *launcher, n_trials=2)).communicate()
        assert (process.returncode, errors) == (0, ""), output
    studies = [
        open_study(runs, "seed=0,1", *launcher) for runs, launcher in ((alone, ()), (together, joblib))
    ]
    assert trials(studies[0]) == trials(studies[1])
    assert len(trials(studies[0])) == 2
    events = [json.loads(line) for line in (together / "stages.jsonl").read_text().splitlines()]
    # Two processes, and neither of them begun anew for the second trial.
    workers = {event["pid"] for event in events if event["event"] == "finished"}
    assert len(workers) == 2
    assert process.pid not in workers


@pytest.mark.slow
def test_a_full_disk_stops_the_search_and_loses_nothing(disk):
    runs = disk("size=300m") / "runs"
    output, errors = (process := start(runs, n_trials=1)).communicate()
    assert (process.returncode, errors) == (0, ""), output
    first = trials(open_study(runs))
    fill(filler := runs.parent / "filler")
    _, errors = (process := start(runs, n_trials=2)).communicate()
    assert process.returncode == 2
    assert errors == (
        f"error: {runs}/reports/debug/search.db: database or disk is full; "
        "fix this, then run the same command to resume\n"
    )
    disk("remount", "size=300m", "ro")
    _, errors = (process := start(runs, n_trials=2)).communicate()
    assert process.returncode == 2
    assert errors.startswith("error: [Errno 30] Read-only file system")
    assert errors.count("\n") == 1
    disk("remount", "size=300m", "rw")
    filler.unlink()
    output, errors = (process := start(runs, n_trials=2)).communicate()
    assert (process.returncode, errors) == (0, ""), output
    both = trials(open_study(runs))
    assert both[:1] == first
    assert len(both) == 2


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as to_be_filled:
        for size in (2**20, 1):
            with suppress(OSError):
                while True:
                    to_be_filled.write(bytes(size))


def test_a_launcher_without_an_engine_is_refused(tmp_path):
    run = subprocess.run(
        [sys.executable, SCRIPT, *OVERRIDES, "hydra/launcher=basic"],
        env=os.environ | {"XORJAX_RUNS": str(tmp_path / "runs")},
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert (
        run.stderr
        == "error: hydra/launcher=basic has no engine to search with; it must be serial, joblib or ray\n"
    )
    assert not (tmp_path / "runs").exists()


def test_a_wrong_command_is_one_line():
    run = subprocess.run(
        [sys.executable, SCRIPT, "prune.rate=0.9"],
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: nothing to search")
    assert run.stderr.count("\n") == 1
