"""Where tasks run: in this process, in worker processes of this machine (loky), or on a cluster (Ray).

The three are told apart only where one is chosen; `submit` gives a `concurrent.futures.Future` whichever it is. A
task is a function at the top of a module and arguments that pickle; what it raises comes back as itself.
"""

import logging
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Protocol, runtime_checkable

# A task that is lost with its worker is run again elsewhere so often; one that kills every worker ends all the same.
RAY_RETRIES = 10


class EngineError(RuntimeError):
    """An engine that is not installed or cannot be reached; the message says how to."""


class WorkerLost(RuntimeError):
    """The process that ran a task ended without an answer: killed, or out of memory."""


@runtime_checkable
class Engine(Protocol):
    n_jobs: int
    """Tasks that run at once."""

    def submit(self, function: Callable[..., Any], *args: Any) -> Future: ...

    def close(self, now: bool = False) -> None:
        """Waits for the tasks; `now` stops those that run, and none that waits is begun."""
        ...


def serial() -> Engine:
    """Runs a task in this process when it is submitted. What is no `Exception`, such as Ctrl-C, goes through."""
    return _Serial()


def processes(n_jobs: int | None = None, threads: int | None = None) -> Engine:
    """Worker processes of this machine, started when they are first needed; by default half as many as cores, but 2.

    Each has `threads` threads for its arithmetic, its share of the cores unless given, ignores Ctrl-C, which is the
    parent's to handle, and ends when the parent does. One that dies fails its own task with `WorkerLost` and is
    replaced.
    """
    n_jobs = n_jobs or max(2, len(_cores()) // 2)
    threads = threads or max(1, len(_cores()) // n_jobs)
    return _Processes(n_jobs, worker_environment(threads))


def ray_cluster(
    address: str | None, cpus_per_task: int | float = 1, gpus_per_task: int | float = 0
) -> Engine:
    """The Ray cluster at `address`: host:port, "auto" for the one that runs here, "local" for one of its own, and
    None for RAY_ADDRESS, the one that runs here, or else one of its own.

    A task whose worker or node dies runs again elsewhere, `RAY_RETRIES` times at most. A connection that is there
    already is used and left open.

    Raises:
        EngineError: Ray is not installed, or there is no cluster at `address`.
    """
    # Under `uv run` Ray would send a copy of the working directory to its workers, which is no checkout: they have the
    # package from where the cluster has it.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError as error:
        raise EngineError("Ray is not installed: pip install 'xorjax[ray]'") from error
    own = not ray.is_initialized()
    if own:
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise EngineError(f"no Ray cluster at {address or 'this machine'}: {reason}") from error
    return _Ray(cpus_per_task, gpus_per_task, own)


def worker_environment(threads: int) -> dict[str, str]:
    """What keeps a process to `threads` threads, and JAX from reserving a GPU's memory; read when they are imported.

    NPROC is what XLA sizes its pools by.
    """
    libraries = ("OMP", "OPENBLAS", "MKL", "VECLIB", "NUMEXPR", "NUMBA", "RAYON")
    return {
        **{f"{library}_NUM_THREADS": str(threads) for library in libraries},
        "POLARS_MAX_THREADS": str(threads),
        "NPROC": str(threads),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def _cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


class _Serial:
    n_jobs = 1

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self, now: bool = False) -> None:
        pass


class _Processes:
    """A thread for each worker, which holds a pool of that one worker: so one that dies takes no other's task along."""

    def __init__(self, n_jobs: int, environment: dict[str, str]):
        self.n_jobs = n_jobs
        # loky ends a worker that has grown by 300 MB, and a worker that has compiled a few programs has.
        self._environment = environment | {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e18"}
        self._threads = ThreadPoolExecutor(n_jobs)
        self._pools: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        return self._threads.submit(self._run, function, args)

    def _run(self, function: Callable[..., Any], args: tuple) -> Any:
        from loky import BrokenProcessPool
        from loky.process_executor import ShutdownExecutorError

        me = threading.get_ident()
        try:
            value, error = self._pool(me).submit(_answer, function, args).result()
        except (BrokenProcessPool, ShutdownExecutorError) as broken:
            with self._lock:
                pool = self._pools.pop(me, None)
            if pool is not None:
                pool.shutdown(wait=False, kill_workers=True)
            raise WorkerLost(
                "the worker process ended without an answer: killed, or out of memory"
            ) from broken
        if error is not None:
            raise error
        return value

    def _pool(self, me: int) -> Any:
        from loky import ProcessPoolExecutor

        with self._lock:
            if self._closed:
                raise WorkerLost("the engine was closed before the task was begun")
            if me not in self._pools:
                self._pools[me] = ProcessPoolExecutor(
                    1, env=self._environment, initializer=_start_worker, initargs=(os.getpid(),)
                )
            return self._pools[me]

    def close(self, now: bool = False) -> None:
        self._threads.shutdown(wait=not now, cancel_futures=now)
        with self._lock:
            self._closed = True
            pools = list(self._pools.values())
        for pool in pools:
            pool.shutdown(wait=True, kill_workers=now)
        self._threads.shutdown(wait=True)


class _Ray:
    def __init__(self, cpus_per_task: int | float, gpus_per_task: int | float, own: bool):
        import ray

        threads = max(1, int(cpus_per_task))
        total = ray.cluster_resources()
        counts = [total.get("CPU", 1) // cpus_per_task] if cpus_per_task else []
        counts += [total.get("GPU", 0) // gpus_per_task] if gpus_per_task else []
        self.n_jobs = max(1, int(min(counts, default=1)))
        self._task = ray.remote(_answer_on_cluster).options(
            num_cpus=cpus_per_task, num_gpus=gpus_per_task, max_retries=RAY_RETRIES
        )
        self._environment = worker_environment(threads)
        self._own = own
        self._open: dict[Future, Any] = {}

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        import cloudpickle

        # Pickled here, so that the worker has its environment before the function's module is imported.
        reference = self._task.remote(self._environment, cloudpickle.dumps((function, args)))
        future: Future = Future()
        self._open[future] = reference
        future.add_done_callback(self._finished)
        reference.future().add_done_callback(lambda answered: _pass_on(answered, future))
        return future

    def _finished(self, future: Future) -> None:
        import ray

        reference = self._open.pop(future)
        if future.cancelled() and ray.is_initialized():
            ray.cancel(reference, force=True)

    def close(self, now: bool = False) -> None:
        import ray

        if now:
            for reference in list(self._open.values()):
                ray.cancel(reference, force=True)
        wait(list(self._open))
        if self._own:
            ray.shutdown()


def _pass_on(answered: Future, future: Future) -> None:
    from ray.exceptions import RayError

    if not future.set_running_or_notify_cancel():
        return
    try:
        value, error = answered.result()
    except RayError as lost:
        value, error = None, WorkerLost(f"the task was lost on the cluster ({type(lost).__name__})")
    except Exception as other:
        value, error = None, other
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)


def _start_worker(parent: int) -> None:
    """Runs first in a worker: Ctrl-C is left to the parent, and with the parent the worker ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _answer_on_cluster(environment: dict[str, str], payload: bytes) -> tuple[Any, Exception | None]:
    os.environ.update(environment)
    return _answer(_call, (payload,))


def _call(payload: bytes) -> Any:
    function, args = pickle.loads(payload)
    return function(*args)


def _answer(function: Callable[..., Any], args: tuple) -> tuple[Any, Exception | None]:
    """The task's value, or what it raised, with the worker's traceback as a note."""
    import cloudpickle

    try:
        return function(*args), None
    except Exception as error:
        note = "in a worker:\n" + traceback.format_exc()
        try:
            pickle.loads(cloudpickle.dumps(error))
        except Exception:
            # An exception whose constructor does not take its own arguments cannot travel.
            error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note(note)
        return None, error
