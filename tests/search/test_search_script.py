"""scripts/search.py on the real pipeline: stopped in the middle of trials, and repeated."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from xorjax.config.space import open_space
from xorjax.search.study import Study

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES = [
    *("+experiment=lenet_search", "+debug=quick", "data.n_train=1000", "prune.schedule.levels=1"),
    *(
        "prune.rate=choice(0.9,0.95)",
        "xor.n_in=interval(8,40)",
        "mask=choice(ans_rc,bitmap)",
        "xor.taps=null",
    ),
]
COMMAND = [sys.executable, str(ROOT / "scripts" / "search.py"), *OVERRIDES, "--trials", "4"]


def start(runs: Path) -> subprocess.Popen:
    return subprocess.Popen(
        COMMAND,
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


def open_study(runs: Path) -> Study:
    with open_space(ROOT / "conf", OVERRIDES) as space:
        return Study(runs, space.experiment, space.name, space.axes)


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
        f"interrupted; this resumes: python scripts/search.py {shlex.join(COMMAND[2:])}"
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
    assert (stopped / "reports" / "debug" / "report.html").is_file()


def test_a_wrong_command_is_one_line():
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "search.py"), "prune.rate=0.9"],
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith("error: nothing to search")
    assert run.stderr.count("\n") == 1
