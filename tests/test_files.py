"""Whole files: what is written takes a file's place and nothing else's, and what is left by a kill goes."""

import errno
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from xorjax.artifacts.artifact import save_arrays
from xorjax.files import replacing, write_text

WRITER = """
import signal, sys
from pathlib import Path
from xorjax.files import replacing

with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(bytes(1000))
    print(temporary.name, flush=True)
    signal.pause()
"""


@pytest.fixture
def start_writer():
    """A process that is in the middle of writing a file, and the name of its temporary one."""
    started = []

    def start(path):
        process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_private_file_stays_private(tmp_path):
    file = tmp_path / "file"
    write_text(file, "old")
    file.chmod(0o600)
    write_text(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    file = tmp_path / "far" / "file"
    for name, to in (("absolute", file), ("relative", "far/file"), ("twice", "relative")):
        link = tmp_path / name
        link.symlink_to(to)
        write_text(link, name)
        assert (link.is_symlink(), file.read_text()) == (True, name)
    (tmp_path / "dangling").symlink_to("far/new")
    write_text(tmp_path / "dangling", "made")
    assert (tmp_path / "far" / "new").read_text() == "made"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="circle") as raised:
        write_text(tmp_path / "circle", "")
    assert raised.value.errno == errno.ELOOP
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["file", "new"]


@pytest.mark.parametrize("through_a_link", [False, True])
@pytest.mark.parametrize("kind", ["pipe", "socket", "directory", "device"])
def test_what_is_no_file_is_refused_by_name(tmp_path, monkeypatch, kind, through_a_link):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path = tmp_path / "thing"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("thing")
    elif kind == "directory":
        path.mkdir()
    else:
        path = type(path)("/dev/null")
    if through_a_link:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    before = path.stat()
    with pytest.raises(OSError, match=f"it is a {kind}, expected the name of a file") as raised:
        write_text(path, "")
    assert raised.value.filename == str(path)
    assert path.stat() == before


def test_a_missing_directory_is_named(tmp_path):
    (tmp_path / "file").touch()
    for parent in ("none", "file"):
        with (
            pytest.raises(OSError, match=f"its directory does not exist: {tmp_path / parent}"),
            replacing(tmp_path / parent / "out"),
        ):
            pass


@pytest.mark.parametrize("end", [signal.SIGKILL, None])
def test_what_a_killed_command_left_is_removed(tmp_path, caplog, start_writer, end):
    path = tmp_path / "out.xj"
    others = [
        tmp_path / ".out.xj.tmp",
        tmp_path / ".out.xj.more.01234567.tmp",
        tmp_path / ".in.xj.01234567.tmp",
    ]
    for other in others:
        other.touch()
    process, left = start_writer(path)
    if end is not None:
        process.send_signal(end)
        process.wait()
    with caplog.at_level(logging.WARNING):
        write_text(path, "whole")
    assert (tmp_path / left).exists() == (end is None)
    told = [record.getMessage() for record in caplog.records]
    assert told == (
        [] if end is None else [f"{tmp_path / left}: removed, a command that was killed had left it"]
    )
    assert path.read_text() == "whole"
    assert all(other.exists() for other in others)


def by_hand(path):
    with path.open("wb") as file:
        file.write(bytes(10 << 20))


@pytest.mark.parametrize(
    "write",
    [
        by_hand,
        lambda path: shutil.copyfile(path.parents[1] / "large", path),
        lambda path: pl.DataFrame({"a": np.random.default_rng(0).random(1 << 20)}).write_parquet(path),
    ],
    ids=["bytes", "a copy", "a table"],
)
def test_a_full_disk_is_told_of_the_file_that_is_written(small_disk, write):
    disk, _ = small_disk
    by_hand(disk.parent / "large")
    with pytest.raises(OSError, match="No space left") as raised, replacing(disk / "out") as temporary:
        write(temporary)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(disk / "out"))
    assert not list(disk.iterdir())


def test_a_full_disk_is_told_of_the_arrays_of_an_artifact(small_disk):
    disk, _ = small_disk
    with pytest.raises(OSError, match="No space left") as raised:
        save_arrays(disk / "arrays", {"a": np.zeros(1 << 21)})
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(disk / "arrays"))


def test_an_error_of_what_is_read_keeps_its_name(tmp_path):
    with pytest.raises(FileNotFoundError) as raised, replacing(tmp_path / "out"):
        (tmp_path / "in").read_bytes()
    assert raised.value.filename == str(tmp_path / "in")
