"""Kill a sweep at random moments and repeat it until it is whole, over and over: `python scripts/soak.py`, an hour.

Every round starts from nothing, is killed several times (kill -9 mostly, SIGTERM and Ctrl-C as well; one process or
two by joblib), and must end in the table of an uninterrupted run, times aside, without a damaged file seen on the way.
Prints kills, resumes and differences; exit code 1 if there is one.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from xorjax.program import run_program

ROOT = Path(__file__).resolve().parent.parent
# The engine is in the command, and in the settings of a row are the directories.
VARYING = ("wall_seconds", "finished_at", "command", "config", "commit")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENGINES = ((), (), ("hydra/launcher=joblib", "hydra.launcher.engine.n_jobs=2"))


@dataclass
class Counts:
    """What has happened so far."""

    rounds: int = 0
    kills: Counter = field(default_factory=Counter)
    resumes: int = 0
    differences: int = 0

    def note(self, difference: str) -> None:
        self.differences += 1
        print(difference, flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--kills", type=int, help="stop after so many instead")
    parser.add_argument("--per-round", type=int, default=8, help="kills before a round may become whole")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("overrides", nargs="*", default=["+experiment=lenet_smoke"])
    arguments = parser.parse_args(argv)
    seed = random.SystemRandom().randrange(2**32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    chance, counts = random.Random(seed), Counts()
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        began = time.monotonic()
        process = run(whole, arguments.overrides)
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"the uninterrupted sweep failed:\n{errors}")
        length, expected = time.monotonic() - began, table(whole)
        print(f"uninterrupted: {length:.0f} s, {len(expected)} rows", flush=True)
        end = began + 60 * arguments.minutes

        def goes_on() -> bool:
            if arguments.kills is not None:
                return counts.kills.total() < arguments.kills
            return time.monotonic() < end

        while goes_on():
            killed = Path(scratch) / "killed"
            one_round(killed, arguments.overrides, arguments.per_round, length, chance, counts)
            counts.rounds += 1
            if not table(killed).equals(expected, null_equal=True):
                counts.note(f"round {counts.rounds}: another table")
            shutil.rmtree(killed)
            print(summary(counts), flush=True)
    return 1 if counts.differences else 0


def one_round(
    runs: Path, overrides: list[str], n_kills: int, length: float, chance: random.Random, counts: Counts
) -> None:
    """From nothing to a whole sweep, with kills on the way."""
    for attempt in range(1000):
        process = run(runs, [*overrides, *chance.choice(ENGINES)])
        counts.resumes += attempt > 0
        # Starting takes seconds in which nothing is made: later moments are the interesting ones.
        wait = chance.uniform(0.1, 0.5) * length if attempt < n_kills else None
        try:
            _, errors = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            sent = chance.choice(SIGNALS)
            process.send_signal(sent)
            counts.kills[sent.name] += 1
            _, errors = process.communicate()
        if "damaged" in errors or "Traceback" in errors:
            counts.note(f"round {counts.rounds + 1}, exit code {process.returncode}: {errors.strip()}")
        if process.returncode == 0:
            return
    raise SystemExit("the sweep does not become whole")


def run(runs: Path, overrides: list[str]) -> subprocess.Popen:
    """The sweep as a process of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *overrides],
        env=os.environ | {"XORJAX_RUNS": str(runs)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def table(runs: Path) -> pl.DataFrame:
    """The sweep's rows but for what two runs of it may differ in."""
    (report,) = (runs / "reports").iterdir()
    return pl.read_parquet(report / "results.parquet").drop(VARYING)


def summary(counts: Counts) -> str:
    kinds = ", ".join(f"{n} {name}" for name, n in sorted(counts.kills.items()))
    return (
        f"{counts.rounds} rounds, {counts.kills.total()} kills ({kinds}), {counts.resumes} resumes, "
        f"{counts.differences} differences"
    )


if __name__ == "__main__":
    sys.exit(run_program(main))
