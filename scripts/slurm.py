"""Run a sweep by several SLURM jobs that share its stages: `python scripts/slurm.py --jobs 8 +experiment=lenet_sweep`.

Every job runs the command that would run the sweep alone, on the run directory that all of them see; a stage is made
by the job that claims it first (docs/sweeps.md). A job that SLURM ends at its time limit or preempts is put into the
queue again and goes on. Needs submitit: pip install 'xorjax[slurm]'. `--cluster local` runs them here.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from xorjax.config.errors import ConfigError, report
from xorjax.config.overrides import check_arguments
from xorjax.files import check_name
from xorjax.program import run_program

ROOT = Path(__file__).resolve().parent.parent

MULTIRUN = ("-m", "--multirun")
"""Hydra's options that a command of several jobs may have."""

SECONDS_TO_SIGNAL = 120
"""How long a job that was ended by SIGTERM stays for submitit's signal, which comes after it if SLURM preempts it."""


class Worker:
    """The command, for submitit to run; `checkpoint` is what it runs in its place when a job is ended early."""

    def __init__(self, arguments: list[str]):
        self.arguments = arguments
        self.process: subprocess.Popen | None = None

    def __call__(self) -> int:
        # SLURM's signal goes to all processes of a job. It is for submitit, in this one; others it would kill.
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / "train.py"), *self.arguments], preexec_fn=_ignore
        )
        code = self.process.wait()
        if code in (130, -signal.SIGTERM):
            time.sleep(SECONDS_TO_SIGNAL)
        return code

    def checkpoint(self):
        from submitit.helpers import DelayedSubmission

        if self.process is not None:
            # In order: at most the epoch under way is lost.
            self.process.terminate()
            # Not by wait(), which a signal's handler has most likely interrupted, and which holds a lock.
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(Worker(self.arguments))


def _ignore() -> None:
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def exit_code(jobs: list) -> int:
    """Waits for the jobs: 0 if all of them ended well; of one that did not, a line says why."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    codes = []
    for job in jobs:
        try:
            codes.append(job.result())
        except (FailedJobError, UncompletedJobError) as error:
            codes.append(str(error).strip().splitlines()[0])
        if codes[-1]:
            print(f"slurm: error: job {job.job_id}: {codes[-1]}", file=sys.stderr)
    return 1 if any(codes) else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument(
        "--cluster", choices=("slurm", "local"), default=None, help="default: slurm if it is here"
    )
    runs = Path(os.environ.get("XORJAX_RUNS") or ROOT / "runs")
    parser.add_argument("--logs", type=Path, default=runs / "slurm", help="a directory that all jobs see")
    parser.add_argument("--minutes", type=int, default=24 * 60, help="a job's time limit")
    parser.add_argument("--cpus", type=int, default=2, help="a job's cores")
    parser.add_argument("--gpus", type=int, default=0, help="a job's GPUs")
    parser.add_argument("--partition")
    parser.add_argument("--wait", action="store_true", help="until all jobs are through")
    arguments, overrides = parser.parse_known_args(argv)
    if unknown := [text for text in overrides if text.startswith("-") and text not in MULTIRUN]:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        # Hours in a queue are too long to be told of a wrong setting.
        check_arguments(overrides, ROOT / "conf")
        for directory in (runs, arguments.logs):
            check_name(directory)
    except (ConfigError, OSError) as error:
        return report(error)
    try:
        import submitit
    except ImportError:
        print("slurm: error: submitit is not installed: pip install 'xorjax[slurm]'", file=sys.stderr)
        return 1
    executor = submitit.AutoExecutor(arguments.logs, cluster=arguments.cluster)
    executor.update_parameters(
        name="xorjax",
        timeout_min=arguments.minutes,
        cpus_per_task=arguments.cpus,
        gpus_per_node=arguments.gpus,
    )
    if arguments.partition:
        executor.update_parameters(slurm_partition=arguments.partition)
    jobs = [executor.submit(Worker(overrides)) for _ in range(arguments.jobs)]
    for job in jobs:
        print(f"job {job.job_id}: {job.paths.stdout}")
    return exit_code(jobs) if arguments.wait else 0


if __name__ == "__main__":
    sys.exit(run_program(main, "slurm: error"))
