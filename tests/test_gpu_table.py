"""The script that trains all rows on a GPU, with a stand-in for Python: nothing is trained."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from xorjax.config.overrides import check_overrides

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "gpu_table.sh"
ROWS = re.findall(r"^\+experiment=.*", SCRIPT.read_text(), re.MULTILINE)


@pytest.fixture
def run(tmp_path):
    """Runs the script with `body` in the place of Python: what it says, and the commands that were run."""

    def run(body, *arguments, fails=False):
        python, calls = tmp_path / "python", tmp_path / "calls"
        python.write_text(f'#!/bin/sh\necho "$*" >> {calls}\n{body}\n')
        python.chmod(0o755)
        environment = os.environ | {"PYTHON": str(python), "XORJAX_RUNS": str(tmp_path / "runs")}
        done = subprocess.run(
            ["sh", str(SCRIPT), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=90,
        )
        assert (done.returncode != 0) == fails
        return done.stdout, calls.read_text().splitlines() if calls.exists() else []

    return run


def test_every_row_is_a_command_in_order(run, tmp_path):
    said, calls = run("echo trained", "1", "1")
    assert calls == [f"scripts/train.py {row}" for row in ROWS]
    assert said.splitlines() == [f"{name}: done" for name in names()]
    assert (tmp_path / "runs/gpu_table" / f"{names()[0]}.log").read_text() == "trained\n"


def test_what_has_no_time_is_not_begun(run):
    said, calls = run("echo trained", "0")
    assert calls == []
    assert sorted(said.splitlines()) == sorted(f"{name}: no time left" for name in names())


@pytest.mark.slow
def test_what_has_begun_is_stopped_in_time(run):
    """A minute has 40 seconds for trainings."""
    begin = time.monotonic()
    said, calls = run("exec sleep 100", "1", str(len(ROWS)))
    assert 35 <= time.monotonic() - begin < 60
    assert len(calls) == len(ROWS)
    assert all(line.endswith(": not done in time; the same command goes on") for line in said.splitlines())


@pytest.mark.parametrize("failure", ["exit 2", "kill -9 $$"])
def test_a_row_that_fails_does_not_stop_the_others(run, failure):
    said, calls = run(failure, "1", "1", fails=True)
    assert len(calls) == len(ROWS)
    assert all(": failed, see " in line for line in said.splitlines())


def names():
    return [row.removeprefix("+experiment=").split()[0] for row in ROWS]


@pytest.mark.parametrize("row", ROWS)
def test_rows_are_right_commands(row):
    assert check_overrides(row.split(), ROOT / "conf") is None
