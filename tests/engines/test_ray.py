"""Ray as an engine: what is asked of its nodes, what is told of what it says, and what it leaves of the process."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import cloudpickle
import engine_tasks
import psutil
import pytest
from engine_tasks import (
    add,
    check_answers,
    environment,
    kill_worker,
    kill_worker_once,
    report_and_sleep,
    wait_for,
)

from xorjax.engines import EngineError, Ray, WorkerLost, ray_cluster


def test_ray_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match=r"pip install 'xorjax\[ray\]'"):
        Ray("local")


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "n"),
    [
        ([{"CPU": 4.0}], 1, 0, 4),
        ([{"CPU": 4.0}], 2, 0, 2),
        # Two nodes of 3 cores hold one task of 2 each, though they have 6.
        ([{"CPU": 3.0}, {"CPU": 3.0}], 2, 0, 2),
        ([{"CPU": 8.0, "GPU": 1.0}], 1, 0.1, 8),
        ([{"CPU": 16.0, "GPU": 1.0}], 1, 0.1, 10),
        ([{"CPU": 1.0}, {"CPU": 8.0, "GPU": 2.0}], 2, 1, 2),
        ([{"CPU": 1.0}], 0, 0, 1),
    ],
)
def test_as_many_tasks_at_once_as_the_nodes_hold(nodes, cpus, gpus, n):
    assert ray_cluster.tasks_at_once(nodes, cpus, gpus) == n


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "has"),
    [
        ([{"CPU": 3.0}, {"CPU": 2.0}], 4, 0, "3 cores and 0 GPUs"),
        ([{"CPU": 4.0}], 1, 1, "4 cores and 0 GPUs"),
        ([{"CPU": 64.0}, {"CPU": 2.0, "GPU": 1.0}], 4, 1, "2 cores and 1 GPUs"),
        ([], 1, 0, "0 cores and 0 GPUs"),
    ],
)
def test_a_task_that_no_node_holds_is_refused(nodes, cpus, gpus, has):
    with pytest.raises(EngineError, match=f"cpus_per_task={cpus} and gpus_per_task={gpus}: .* has {has};"):
        ray_cluster.tasks_at_once(nodes, cpus, gpus)


@pytest.fixture
def in_new_process(only_ray):
    """Calls a function in a process of its own: Ray forks, which jax's threads make unsafe here, and ends its process
    where a cluster goes away.
    """

    return _in_new_process


def _in_new_process(function, *args):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(_with_travelling_tasks, function, *args).result()


def _with_travelling_tasks(function, *args):
    # The workers have the package, and not the module of the tasks.
    cloudpickle.register_pickle_by_value(engine_tasks)
    function(*args)


@pytest.mark.slow
def test_ray(tmp_path, in_new_process):
    in_new_process(_ray, tmp_path)


def _ray(directory):
    with pytest.raises(EngineError, match="no Ray cluster at auto"):
        Ray("auto")
    with closing(Ray("local")) as engine:
        assert engine.n_jobs >= 1
        check_answers(engine)
        assert engine.submit(environment, "NUMBA_NUM_THREADS").result(60) == ["1"]
        assert engine.submit(kill_worker_once, directory / "marker").result(60) == "found"
        running = engine.submit(report_and_sleep, directory / "pid")
        wait_for(directory / "pid")
        engine.close(now=True)
        with pytest.raises(WorkerLost):
            running.result(60)
    import ray

    assert not ray.is_initialized()


@pytest.mark.slow
def test_sigterm_stays_what_it_was(in_new_process):
    in_new_process(_sigterm)


def _sigterm():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with closing(Ray("local")):
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


@pytest.mark.slow
def test_a_task_that_no_node_of_a_cluster_holds_is_refused(in_new_process):
    in_new_process(_refused)


def _refused():
    with pytest.raises(EngineError, match="gpus_per_task=1000: the largest has"):
        Ray("local", gpus_per_task=1000)
    import ray

    assert not ray.is_initialized()


@pytest.mark.slow
def test_of_a_lost_worker_is_told_what_ray_says(in_new_process):
    in_new_process(_lost_worker)


def _lost_worker():
    ray_cluster.RAY_RETRIES = 0
    with closing(Ray("local")) as engine:
        with pytest.raises(WorkerLost, match="WorkerCrashedError: The worker died unexpectedly"):
            engine.submit(kill_worker).result(60)
        assert engine.submit(add, 1, 1).result(60) == 2


@pytest.mark.slow
def test_tasks_fail_when_no_node_is_left_that_has_room(tmp_path, in_new_process):
    in_new_process(_no_room, tmp_path)


def _no_room(directory):
    ray_cluster.PERIOD, ray_cluster.LONGEST_WITHOUT_ROOM = 0.1, 1.0
    with closing(Ray("local")) as engine:
        running = engine.submit(report_and_sleep, directory / "pid")
        wait_for(directory / "pid")
        ray_cluster._living_nodes = lambda: [{"CPU": 0.5}]
        with pytest.raises(EngineError, match="no node of the Ray cluster holds a task"):
            running.result(60)


@pytest.mark.slow
def test_tasks_fail_when_the_head_is_lost(cluster, tmp_path):
    address, raylets = cluster
    _in_new_process(_head_lost, address, raylets, tmp_path)


def _head_lost(address, raylets, directory):
    ray_cluster.PERIOD, ray_cluster.LONGEST_WITHOUT_ROOM, ray_cluster.LONGEST_ANSWER = 0.1, 2.0, 1.0
    engine = Ray(address)
    running = engine.submit(report_and_sleep, directory / "pid")
    wait_for(directory / "pid")
    port = int(address.rpartition(":")[2])
    (head,) = (
        process
        for process in psutil.process_iter(["name"])
        if process.info["name"] == "gcs_server"
        and any(
            opened.status == "LISTEN" and opened.laddr.port == port for opened in process.net_connections()
        )
    )
    head.kill()
    for raylet in raylets:
        os.kill(raylet, signal.SIGKILL)
    with pytest.raises(EngineError, match="the Ray cluster does not answer: its head may be gone"):
        running.result(60)
    engine.close(now=True)


HEAD = ("start", "--head", "--block", "--num-cpus=1", "--include-dashboard=false")


@pytest.mark.slow
def test_a_cluster_with_a_token_is_found_by_its_address(tmp_path, only_ray):
    """`ray start` asks for a token where there is one, as after any `ray.init` on the machine."""
    home = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    home |= {"HOME": str(tmp_path)}
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    (tmp_path / ".ray").mkdir()
    token = tmp_path / ".ray" / "auth_token"
    token.write_text(64 * "0")
    ray = str(Path(sys.executable).with_name("ray"))
    with subprocess.Popen(
        [ray, *HEAD, f"--port={port}"], env=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as head:
        try:
            assert head.stdout is not None
            assert any("Ray runtime started" in line for line in head.stdout)

            def connect() -> str:
                run = subprocess.run(
                    [sys.executable, "-c", CONNECTS, f"127.0.0.1:{port}"],
                    env=home,
                    capture_output=True,
                    text=True,
                )
                return run.stdout

            assert connect() == "3\n"
            token.unlink()
            assert "its ~/.ray/auth_token is needed here" in connect()
        finally:
            head.terminate()


CONNECTS = """
import operator, sys
from xorjax.engines import EngineError, Ray

try:
    engine = Ray(sys.argv[1])
    print(engine.submit(operator.add, 1, 2).result(60))
    engine.close()
except EngineError as error:
    print(error)
"""


@pytest.mark.slow
def test_closing_does_not_wait_for_what_never_answers(tmp_path, in_new_process):
    in_new_process(_silent, tmp_path)


def _silent(directory):
    ray_cluster.LONGEST_CLOSE = 1.0
    engine = Ray("local")
    import ray

    running = engine.submit(report_and_sleep, directory / "pid")
    wait_for(directory / "pid")
    ray.cancel = lambda *args, **kwargs: None
    engine.close(now=True)
    with pytest.raises(WorkerLost, match="the engine was closed"):
        running.result(60)


@pytest.mark.slow
def test_for_want_of_memory_a_task_is_not_retried_for_ever(in_new_process):
    in_new_process(_no_memory)


def _no_memory():
    # Every machine uses more than that.
    os.environ |= {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"}
    ray_cluster.OOM_RETRIES = 1
    with closing(Ray("local")) as engine, pytest.raises(WorkerLost, match="OutOfMemoryError"):
        engine.submit(time.sleep, 600).result(120)


WITHOUT_THE_PACKAGE = """
import os, sys, ray
from xorjax.engines import EngineError, Ray
ray.init("local", runtime_env={"env_vars": {"PYTHONPATH": sys.argv[1]}}, include_dashboard=False, log_to_driver=False)
try:
    Ray("local").submit(os.getpid).result(60)
except EngineError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_node_without_the_package_is_a_failure_and_no_loss(tmp_path, only_ray):
    """In a process of its own: the workers of one that runs here find the package beside the tests."""
    (tmp_path / "node" / "xorjax").mkdir(parents=True)
    (tmp_path / "node" / "xorjax" / "__init__.py").touch()
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PACKAGE, str(tmp_path / "node")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == (
        "a worker of the Ray cluster cannot run tasks: ModuleNotFoundError: No module named 'xorjax.engines'; "
        "it needs the packages of this process\n"
    )
