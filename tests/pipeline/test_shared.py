"""Several processes on one run directory, and a cluster that loses a node: the table of one process alone."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from command import QUICK, ROOT, command, end, in_training, table
from polars.testing import assert_frame_equal
from stopping import held_when, kill_node

from xorjax import paths

pytestmark = pytest.mark.slow
# Long enough to meet each other in every kind of stage.
SWEEP = (*QUICK, "seed=0,1", "prune.optim.epochs=3", "quantize.optim.epochs=3")
STAGES = {"dense": 2, "unpruned": 4, "reference": 4, "prune": 4, "quantize": 4, "baselines": 4}
STAGES |= {"encode": 8, "evaluate": 8}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The runs of one process."""
    runs = tmp_path_factory.mktemp("alone") / "runs"
    assert end(command(runs, *SWEEP)) == 0
    return runs


def events(runs: Path, *kinds: str) -> list[dict]:
    lines = paths.stage_log(runs).read_text().splitlines() if paths.stage_log(runs).exists() else []
    return [event for event in map(json.loads, lines) if event["event"] in kinds]


def made(runs: Path) -> Counter:
    """How often each kind of stage was begun anew."""
    return Counter(event["stage"] for event in events(runs, "made"))


def training(runs: Path) -> list[int]:
    """The processes that are in the middle of a training that they began."""
    begun = [event for event in events(runs, "made") if event["stage"] in ("prune", "quantize")]
    return [event["pid"] for event in begun if in_training(runs, event["stage"], event["name"])]


def test_two_commands_share_a_sweep(alone, tmp_path):
    runs = tmp_path / "runs"
    both = [command(runs, *SWEEP) for _ in range(2)]
    assert [end(process) for process in both] == [0, 0]
    assert made(runs) == STAGES
    assert events(runs, "resumed", "damaged", "failed") == []
    # Neither only looked on.
    assert len({event["pid"] for event in events(runs, "finished")}) == 2
    assert_frame_equal(table(runs), table(alone))


def test_a_command_goes_on_when_the_other_is_killed(alone, tmp_path):
    runs = tmp_path / "runs"
    both = [command(runs, *SWEEP) for _ in range(2)]
    with held_when(lambda: both[0].pid in training(runs), both[0].pid):
        both[0].send_signal(signal.SIGKILL)
    assert [end(process) for process in both] == [-signal.SIGKILL, 0]
    assert made(runs) == STAGES
    assert len(events(runs, "resumed")) == 1
    assert_frame_equal(table(runs), table(alone))


def test_joblibs_processes_give_the_same_table(alone, tmp_path):
    runs = tmp_path / "runs"
    assert end(command(runs, *SWEEP, "hydra/launcher=joblib", "hydra.launcher.engine.n_jobs=2")) == 0
    assert made(runs) == STAGES
    assert len({event["pid"] for event in events(runs, "finished")}) == 2
    assert_frame_equal(table(runs), table(alone))


def test_a_cluster_that_loses_a_node_gives_the_same_table(alone, tmp_path, cluster):
    address, raylets = cluster
    runs = tmp_path / "runs"
    process = command(runs, *SWEEP, "hydra/launcher=ray", f"hydra.launcher.engine.address={address}")
    kill_node(raylets, lambda: training(runs), process)
    assert end(process) == 0
    resumed = len(events(runs, "resumed"))
    print(f"stages begun: {dict(made(runs))}, {resumed} of them again on another node")
    assert made(runs) == STAGES
    assert resumed >= 1
    assert len({event["pid"] for event in events(runs, "finished")}) >= 2
    assert_frame_equal(table(runs), table(alone))


def test_submitted_jobs_share_a_sweep(alone, tmp_path):
    """By submitit's local executor: the same jobs as SLURM's, as processes."""
    runs = tmp_path / "runs"
    slurm = [sys.executable, ROOT / "scripts" / "slurm.py", "--cluster", "local", "--jobs", "2", "--wait"]
    done = subprocess.run(
        [*slurm, "--logs", tmp_path / "logs", *SWEEP],
        env=os.environ | {"XORJAX_RUNS": str(runs)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert made(runs) == STAGES
    assert len({event["pid"] for event in events(runs, "finished")}) == 2
    assert_frame_equal(table(runs), table(alone))
