"""The engines are one to their callers: results, exceptions, lost workers, and what a worker may use."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path

import cloudpickle
import pytest

from xorjax.engines import EngineError, WorkerLost, processes, ray_cluster, serial


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
    with pytest.raises(EngineError) as raised:
        engine.submit(fail, EngineError, "the key is wrong").result(60)
    assert str(raised.value) == "the key is wrong"
    assert engine.submit(add, "still ", "there").result(60) == "still there"


def test_serial():
    engine = serial()
    check_answers(engine)
    assert engine.submit(os.getpid).result() == os.getpid()
    with pytest.raises(KeyboardInterrupt):
        engine.submit(fail, KeyboardInterrupt)


def test_processes():
    with closing(processes(2)) as engine:
        check_answers(engine)
        assert engine.submit(os.getpid).result() != os.getpid()
        with pytest.raises(RuntimeError, match="StubbornError: one and two") as refused:
            engine.submit(fail, StubbornError, "one", "two").result(60)
        assert "in fail" in "".join(refused.value.__notes__)


def test_a_killed_worker_fails_its_own_task_only(tmp_path):
    engine = processes(2)
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
    engine = processes(1)
    running = engine.submit(report_and_sleep, tmp_path / "pid")
    waiting = engine.submit(add, 1, 1)
    wait_for(tmp_path / "pid")
    engine.close(now=True)
    with pytest.raises(WorkerLost):
        running.result(60)
    with pytest.raises(CancelledError):
        waiting.result(60)
    assert not alive(int((tmp_path / "pid").read_text()))


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


def test_a_worker_ends_with_its_parent(tmp_path):
    code = f"""
from tests.test_engines import report_and_sleep
from xorjax.engines import processes
processes(1).submit(report_and_sleep, {str(tmp_path / "pid")!r}).result()
"""
    root = Path(__file__).parent.parent
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    )
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
    with closing(processes(1, threads=1)) as engine:
        names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "XLA_PYTHON_CLIENT_PREALLOCATE")
        assert engine.submit(environment, *names).result(60) == ["1", "1", "false"]
        one = engine.submit(threads_of_xla).result(60)
    with closing(processes(1, threads=4)) as engine:
        four = engine.submit(threads_of_xla).result(60)
    assert 0 < one < four


def test_ray_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"pip install 'xorjax\[ray\]'"):
        ray_cluster("local")


@pytest.mark.slow
# Ray forks, and an earlier test may have imported jax here.
@pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::ResourceWarning", "ignore:os.fork:RuntimeWarning"
)
def test_ray(tmp_path):
    # The workers have the package, and not this module.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with pytest.raises(EngineError, match="no Ray cluster at auto"):
        ray_cluster("auto")
    with closing(ray_cluster("local")) as engine:
        assert engine.n_jobs >= 1
        check_answers(engine)
        assert engine.submit(environment, "NUMBA_NUM_THREADS").result(60) == ["1"]
        assert engine.submit(kill_worker_once, tmp_path / "marker").result(60) == "found"
        running = engine.submit(report_and_sleep, tmp_path / "pid")
        wait_for(tmp_path / "pid")
        engine.close(now=True)
        with pytest.raises(WorkerLost):
            running.result(60)
    import ray

    assert not ray.is_initialized()
