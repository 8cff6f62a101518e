"""scripts/slurm.py without SLURM: what a job's end says, and its signal, which goes to all processes of a job."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from submitit.core.utils import UncompletedJobError

from xorjax import paths

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "slurm.py"
SWEEP = (
    *("+experiment=lenet_smoke", "+debug=quick", "code.n_in=20"),
    # So long a training that it is under way when the signal has come through all processes.
    "prune.optim.epochs=30",
)


def job(number, result):
    def give():
        if isinstance(result, Exception):
            raise result
        return result

    return SimpleNamespace(job_id=number, result=give)


@pytest.mark.parametrize(
    ("results", "code", "said"),
    [
        ([0, 0], 0, ""),
        ([-9, 0], 1, "slurm: error: job 0: -9\n"),
        ([0, 2], 1, "slurm: error: job 1: 2\n"),
        (
            [UncompletedJobError("Job 7 has not produced any output\nIts log:"), 0],
            1,
            "slurm: error: job 0: Job 7 has not produced any output\n",
        ),
    ],
)
def test_a_job_that_did_not_end_well_is_in_the_exit_code(results, code, said, capsys):
    exit_code = runpy.run_path(str(SCRIPT))["exit_code"]
    assert exit_code([job(number, result) for number, result in enumerate(results)]) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["prune.ratee=0.9"], "prune.rate"),
        (["+experiment=lenet_sweeep"], "lenet_sweep"),
        (["--minuts", "3"], "--minuts"),
    ],
)
def test_what_every_job_would_refuse_is_refused_before_any_is_queued(arguments, said, tmp_path):
    command = [
        sys.executable,
        str(SCRIPT),
        "--cluster",
        "local",
        "--logs",
        str(tmp_path / "logs"),
        *arguments,
    ]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "logs").exists()


TRAIN = """
import signal, sys, time

def stop(signum, frame):
    time.sleep(0.5)
    print("in order", flush=True)
    sys.exit(130)

signal.signal(signal.SIGTERM, stop)
print("begun", sys.argv[1:], flush=True)
time.sleep(600)
"""
JOB = """
import signal, sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

spec = spec_from_file_location("slurm", sys.argv[1])
slurm = module_from_spec(spec)
spec.loader.exec_module(slurm)
slurm.ROOT = Path(sys.argv[2])
worker = slurm.Worker(["seed=1"])

def checkpoint(signum, frame):
    print("again", worker.checkpoint().function.arguments, flush=True)
    sys.exit(144)

signal.signal(signal.SIGUSR2, checkpoint)
signal.signal(signal.SIGTERM, lambda *_: None)  # as submitit does
worker()
"""


@pytest.mark.parametrize("is_preempted", [False, True])
def test_the_signal_of_a_time_limit_ends_the_command_in_order(tmp_path, is_preempted):
    """If SLURM preempts the job, SIGTERM comes before it, which ends the command already."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "train.py").write_text(TRAIN)
    process = subprocess.Popen(
        [sys.executable, "-c", JOB, SCRIPT, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "begun ['seed=1']\n"
    if is_preempted:
        os.killpg(process.pid, signal.SIGTERM)
        (train,) = psutil.Process(process.pid).children()
        psutil.wait_procs([train], timeout=60)
    os.killpg(process.pid, signal.SIGUSR2)
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert output == "in order\nagain ['seed=1']\n"
    assert process.returncode == 144


def events(runs: Path) -> Counter:
    log = paths.stage_log(runs)
    return (
        Counter(json.loads(line)["event"] for line in log.read_text().splitlines())
        if log.exists()
        else Counter()
    )


@pytest.mark.slow
def test_a_job_at_its_time_limit_is_queued_again_and_goes_on(tmp_path):
    """By submitit's local executor, and the signal as SLURM sends it."""
    runs = tmp_path / "runs"
    process = subprocess.Popen(
        [
            sys.executable,
            SCRIPT,
            "--cluster",
            "local",
            "--jobs",
            "1",
            "--wait",
            "--logs",
            tmp_path / "logs",
            *SWEEP,
        ],
        env=os.environ | {"XORJAX_RUNS": str(runs)},
    )
    while not list(runs.glob("prune/*.partial/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.02)
    (submitted,) = (
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "submitit.core._submit" in child.cmdline()
    )
    for part in [submitted, *submitted.children(recursive=True)]:
        part.send_signal(signal.SIGUSR2)
    assert process.wait() == 0
    counts = events(runs)
    assert (counts["interrupted"], counts["resumed"]) == (1, 1)
    assert (paths.report_dir(runs, "debug") / "report.html").is_file()
