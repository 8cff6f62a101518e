"""The command as its users run it: refusals before any work, and the same table however often it is killed."""

import gzip
import json
import random
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from command import QUICK, ROOT, command, end, in_training, n_lines, table
from polars.testing import assert_frame_equal
from stopping import held_when

from xorjax import paths
from xorjax.pipeline.progress import _read_metrics

LONGER = (*QUICK, "optim.epochs=4", "prune.optim.epochs=3", "quantize.optim.epochs=3")


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


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("JAX_PLATFORMS", "bogus", "JAX finds nothing to compute on: Unable to initialize backend 'bogus'"),
        ("JAX_ENABLE_X64", "1", "JAX_ENABLE_X64 is set"),
    ],
)
def test_a_variable_that_no_stage_can_do_with_stops_the_command(tmp_path, variable, value, told):
    process = command(tmp_path, *QUICK, **{variable: value})
    _, errors = process.communicate()
    assert process.returncode == 2, errors
    first, *_, last = errors.splitlines()
    assert f"SetupError: {told}" in first
    assert last.startswith("stopped: ")


def test_a_data_set_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    line = refusal(command(tmp_path / "runs", *QUICK, "data=fashion_mnist", XORJAX_DATA=str(tmp_path)))
    assert line.startswith(f"error: no fashion_mnist in '{tmp_path}': put its files train-images")
    assert line.endswith("data.dir or XORJAX_DATA says where else it lies")
    assert not (tmp_path / "runs" / "reports").exists()


@pytest.mark.slow
def test_a_terminal_of_few_characters_or_none_costs_no_models(tmp_path):
    process = command(tmp_path, *QUICK, "seed=0", PYTHONIOENCODING="cp1252")
    assert end(process) == 0
    models = paths.best_models(paths.report_dir(tmp_path, "debug"))
    assert models
    for model in models:
        model.unlink()
    with open("/dev/full", "wb") as full:
        process = command(tmp_path, *QUICK, "seed=0", stdout=full)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (1, "error: standard output: No space left on device\n")
    assert paths.best_models(paths.report_dir(tmp_path, "debug")) == models


def test_a_run_directory_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("not a directory")
    line = refusal(command(tmp_path / "file" / "runs", *QUICK))
    assert str(tmp_path / "file") in line


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_resume(tmp_path, sent):
    process = command(tmp_path, *LONGER)
    with held_when(lambda: in_training(tmp_path, "prune"), process.pid):
        process.send_signal(sent)
    _, errors = process.communicate()
    assert process.returncode == 130
    stopped, resumes = errors.splitlines()
    assert re.fullmatch(r"stopped in prune [\w.-]+, epoch \d of 3", stopped)
    assert resumes == f"interrupted; to resume: python scripts/train.py {shlex.join(LONGER)}"
    process = command(tmp_path, *LONGER)
    assert end(process) == 0
    kinds = Counter(json.loads(line)["event"] for line in paths.stage_log(tmp_path).read_text().splitlines())
    assert (kinds["interrupted"], kinds["resumed"]) == (1, 1)


@pytest.mark.slow
def test_a_full_disk_stops_the_command_and_loses_nothing(tmp_path, small_disk):
    disk, remount = small_disk
    process = command(disk / "runs", *QUICK)
    _, errors = process.communicate()
    assert process.returncode == 2, errors
    assert "No space left on device" in errors
    assert "Traceback" not in errors
    assert "run the same command to resume" in errors
    assert remount("size=300m", "ro")
    assert "Read-only file system" in refusal(command(disk / "runs", *QUICK))
    assert remount("size=300m", "rw")
    assert end(command(disk / "runs", *QUICK)) == 0
    assert end(command(tmp_path / "whole", *QUICK)) == 0
    assert_frame_equal(table(disk / "runs"), table(tmp_path / "whole"))


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
    # The last three stages are left, so that it is killed before its end, however slowly this is noticed.
    for event in sorted(moments.sample(range(1, n_events - 6), 3)):
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


def test_epochs_of_a_mask_are_counted_once(tmp_path):
    """While its rounds are trained, when all are in one file, and while a line is being written."""
    for number in range(2):
        (tmp_path / f"round{number}").mkdir()
        (tmp_path / f"round{number}" / paths.METRICS).write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    assert _read_metrics(tmp_path) == (4, {"epoch": 2})
    (tmp_path / paths.METRICS).write_text("".join(f'{{"epoch": {epoch}}}\n' for epoch in range(1, 5)))
    assert _read_metrics(tmp_path) == (4, {"epoch": 4})
    for damaged in (b'{"epoch": 1}\n{"epo\n', b"\xff\xfe\n"):
        (tmp_path / paths.METRICS).write_bytes(damaged)
        assert _read_metrics(tmp_path) == (0, {})
