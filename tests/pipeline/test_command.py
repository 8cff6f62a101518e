"""The command as its users run it: refusals before any work, and the same table however often it is killed."""

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from xorjax import paths

ROOT = Path(__file__).parents[2]
QUICK = ("+experiment=lenet_smoke", "+debug=quick")
LONGER = (*QUICK, "optim.epochs=4", "prune.optim.epochs=3", "quantize.optim.epochs=3")
VARYING = ("wall_seconds", "finished_at", "command", "config")


def command(runs: Path, *arguments: str, **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "train.py", *arguments],
        env=os.environ | {"XORJAX_RUNS": str(runs)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refusal(process: subprocess.Popen) -> str:
    """The one line that a refused command prints."""
    _, errors = process.communicate()
    assert process.returncode == 2, errors
    (line,) = errors.splitlines()
    return line


def damage(file: Path) -> None:
    content = bytearray(gzip.decompress(file.read_bytes()))
    content[5000] ^= 1
    file.write_bytes(gzip.compress(bytes(content)))


@pytest.mark.parametrize(
    "broken", [damage, lambda file: file.write_bytes(file.read_bytes()[:9000]), Path.unlink]
)
def test_a_damaged_data_file_is_refused_by_name_before_training(tmp_path, broken):
    shutil.copytree(ROOT / "data" / "mnist", tmp_path / "data" / "mnist")
    broken(tmp_path / "data" / "mnist" / "train-images-idx3-ubyte.gz")
    variables = {"XORJAX_DATA": str(tmp_path / "data"), "XORJAX_CACHE": str(tmp_path / "cache")}
    line = refusal(command(tmp_path / "runs", *QUICK, **variables))
    assert "train-images-idx3-ubyte" in line
    assert not (tmp_path / "runs" / "dense").exists()


def test_a_run_directory_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    line = refusal(command(tmp_path / "file" / "runs", *QUICK))
    assert str(tmp_path / "file") in line


def table(runs: Path) -> pl.DataFrame:
    return pl.read_parquet(paths.report_dir(runs, "debug") / "results.parquet").drop(VARYING)


def n_lines(file: Path) -> int:
    return file.read_text().count("\n") if file.exists() else 0


@pytest.mark.slow
def test_killed_at_random_moments_and_repeated(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = command(whole, *LONGER)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    n_events = n_lines(paths.stage_log(whole))
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    n_kills = 0
    for event in sorted(moments.sample(range(1, n_events - 2), 3)):
        process = command(killed, *LONGER)
        while n_lines(paths.stage_log(killed)) < event and process.poll() is None:
            time.sleep(0.02)
        time.sleep(moments.random())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        n_kills += process.returncode == -signal.SIGKILL
    process = command(killed, *LONGER)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert n_kills == 3
    assert_frame_equal(table(killed), table(whole))
