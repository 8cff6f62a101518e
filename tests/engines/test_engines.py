"""The engines of this machine are one to their callers: results, exceptions, lost workers, what a worker may use."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import closing, suppress
from pathlib import Path

import pytest
from engine_tasks import (
    StubbornError,
    add,
    alive,
    check_answers,
    environment,
    fail,
    kill_worker,
    report_and_sleep,
    threads_of_xla,
    wait_for,
)
from loky import ProcessPoolExecutor

from xorjax.engines import EngineError, Kept, Processes, Serial, WorkerLost


def test_serial():
    engine = Serial()
    check_answers(engine)
    assert engine.submit(os.getpid).result() == os.getpid()
    with pytest.raises(KeyboardInterrupt):
        engine.submit(fail, KeyboardInterrupt)


def test_processes():
    with closing(Processes(2)) as engine:
        check_answers(engine)
        assert engine.submit(os.getpid).result() != os.getpid()
        with pytest.raises(RuntimeError, match="StubbornError: one and two") as refused:
            engine.submit(fail, StubbornError, "one", "two").result(60)
        assert "in fail" in "".join(refused.value.__notes__)


def test_a_killed_worker_fails_its_own_task_only(tmp_path):
    engine = Processes(2)
    try:
        sleeping = engine.submit(report_and_sleep, tmp_path / "pid")
        wait_for(tmp_path / "pid")
        with pytest.raises(WorkerLost, match="out of memory"):
            engine.submit(kill_worker).result(60)
        assert not sleeping.done()
        check_answers(engine)
    finally:
        engine.close(now=True)
    with pytest.raises(WorkerLost):
        sleeping.result(60)


def test_close_now_stops_what_runs_and_begins_no_more(tmp_path):
    engine = Processes(1)
    running = engine.submit(report_and_sleep, tmp_path / "pid")
    waiting = engine.submit(add, 1, 1)
    wait_for(tmp_path / "pid")
    engine.close(now=True)
    with pytest.raises(WorkerLost):
        running.result(60)
    with pytest.raises(CancelledError):
        waiting.result(60)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_second_signal_while_it_closes_leaves_no_worker_at_its_task(tmp_path, monkeypatch):
    engine = Processes(3)
    for number in range(3):
        engine.submit(report_and_sleep, tmp_path / f"pid{number}")
    for number in range(3):
        wait_for(tmp_path / f"pid{number}")
    shut_down = ProcessPoolExecutor.shutdown

    def shutdown(pool, **options):
        shut_down(pool, **options)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    monkeypatch.setattr(ProcessPoolExecutor, "shutdown", shutdown)
    with suppress(KeyboardInterrupt):
        engine.close(now=True)
    pids = [int((tmp_path / f"pid{number}").read_text()) for number in range(3)]
    deadline = time.monotonic() + 60
    while any(map(alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_ends_with_its_parent(tmp_path):
    code = f"""
from engine_tasks import report_and_sleep
from xorjax.engines import Processes
Processes(1).submit(report_and_sleep, {str(tmp_path / "pid")!r}).result()
"""
    here = str(Path(__file__).parent)
    parent = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": here})
    wait_for(tmp_path / "pid")
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_has_its_share_of_the_threads():
    with closing(Processes(1, threads=1)) as engine:
        names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "XLA_PYTHON_CLIENT_PREALLOCATE")
        assert engine.submit(environment, *names).result(60) == ["1", "1", "false"]
        one = engine.submit(threads_of_xla).result(60)
    with closing(Processes(1, threads=4)) as engine:
        four = engine.submit(threads_of_xla).result(60)
    assert 0 < one < four


@pytest.mark.parametrize("settings", [{"n_jobs": 0}, {"n_jobs": -1}, {"threads": 0}])
def test_less_than_one_is_refused(settings):
    with pytest.raises(EngineError, match=rf"{next(iter(settings))} is .*, expected 1 or more, or null"):
        Processes(**settings)


def test_an_engine_that_is_kept_is_open_for_the_next_run(tmp_path):
    with closing(Processes(1)) as engine:
        kept = Kept(engine)
        worker = kept.submit(os.getpid).result(60)
        kept.close()
        assert kept.submit(os.getpid).result(60) == worker
        sleeping = kept.submit(report_and_sleep, tmp_path / "pid")
        wait_for(tmp_path / "pid")
        kept.close(now=True)
        with pytest.raises(WorkerLost):
            sleeping.result(60)
        assert not alive(worker)
