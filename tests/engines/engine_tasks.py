"""Tasks for engines, and what every engine must answer."""

import os
import signal
import time
from pathlib import Path

import pytest


class StubbornError(Exception):
    """Does not survive pickling: its constructor takes other arguments than those it hands on."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def add(a, b):
    return a + b


def fail(error, *args):
    raise error(*args)


def environment(*names):
    return [os.environ.get(name) for name in names]


def kill_worker():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker_once(marker):
    if not Path(marker).exists():
        Path(marker).write_text("lost")
        kill_worker()
    return "found"


def wait_for(path):
    deadline = time.monotonic() + 60
    while not Path(path).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def report_and_sleep(path):
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)


def threads_of_xla():
    import jax

    jax.block_until_ready(jax.numpy.ones(4) + 1)
    names = (path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
    return sum("Eigen" in name or "pjrt" in name.lower() for name in names)


def check_answers(engine):
    futures = [engine.submit(add, i, 1) for i in range(5)]
    assert [future.result(60) for future in futures] == [1, 2, 3, 4, 5]
    with pytest.raises(LookupError) as raised:
        engine.submit(fail, LookupError, "the key is wrong").result(60)
    assert str(raised.value) == "the key is wrong"
    assert engine.submit(add, "still ", "there").result(60) == "still there"


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"
