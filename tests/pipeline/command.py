"""The command as its users run it: a process of its own on a run directory."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

from xorjax import paths

ROOT = Path(__file__).parents[2]
QUICK = ("+experiment=lenet_smoke", "+debug=quick")
VARYING = ("wall_seconds", "finished_at", "command", "config")


def command(runs: Path, *arguments: str, stdout: Any = subprocess.PIPE, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "train.py", *arguments],
        env=os.environ | {"XORJAX_RUNS": str(runs)} | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding=variables.get("PYTHONIOENCODING", "utf-8"),
    )


def end(process: subprocess.Popen) -> int:
    """Wait for the command; its exit code, and on the terminal what it said, for a test that fails."""
    output, errors = process.communicate()
    print(output, errors, sep="\n")
    return process.returncode


def table(runs: Path) -> pl.DataFrame:
    return pl.read_parquet(paths.report_dir(runs, "debug") / "results.parquet").drop(VARYING)


def in_training(runs: Path, kind: str, name: str = "*") -> bool:
    """Whether a stage has done an epoch and has two more to do: of three, in tests that ask this."""
    return any(n_lines(file) == 1 for file in runs.glob(f"{kind}/{name}.partial/{paths.METRICS}"))


def n_lines(file: Path) -> int:
    return file.read_text().count("\n") if file.exists() else 0
