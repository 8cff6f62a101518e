"""Hold a process still at a moment that is looked for, so that no test depends on how fast another process is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from subprocess import Popen

import psutil
import pytest


@contextmanager
def held(process: psutil.Process) -> Iterator[None]:
    """The process stands still in the block; what it is sent meets it where it stands."""
    process.suspend()
    while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE):
        time.sleep(0.001)
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


@contextmanager
def held_when(moment: Callable[[], bool], pid: int) -> Iterator[None]:
    """Waits for the moment, and holds the process there; it must not end before."""
    process, deadline = psutil.Process(pid), time.monotonic() + 300
    while True:
        assert process.status() != psutil.STATUS_ZOMBIE
        assert time.monotonic() < deadline
        if moment():
            with held(process):
                if moment():
                    yield
                    return
        time.sleep(0.02)


def kill_node(raylets: list[int], at_work: Callable[[], list[int]], command: Popen) -> None:
    """kill -9 of a node of a Ray cluster, with all its processes, while one of them is at work for the command."""
    while command.poll() is None:
        for pid in at_work():
            with suppress(psutil.NoSuchProcess):
                worker = psutil.Process(pid)
                nodes = [parent for parent in worker.parents() if parent.pid in raylets]
                if not nodes:
                    continue
                with held(worker):
                    if pid in at_work():
                        _kill(nodes[0])
                        return
        time.sleep(0.02)
    pytest.fail("no node was at work that could be killed")


def _kill(process: psutil.Process) -> None:
    for part in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            part.kill()
