"""Tasks in worker processes of this machine."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from xorjax.engines.base import EngineError, WorkerLost, answer, worker_environment


class Processes:
    """Worker processes, started when they are first needed; by default half the number of cores, at least two.

    Each has `threads` threads for its arithmetic, its share of the cores unless given, ignores Ctrl-C, which is the
    parent's to handle, and ends when the parent does. One that dies fails its own task with `WorkerLost` and is
    replaced.

    Raises:
        EngineError: `n_jobs` or `threads` is less than 1.
    """

    def __init__(self, n_jobs: int | None = None, threads: int | None = None):
        for name, given in (("n_jobs", n_jobs), ("threads", threads)):
            if given is not None and given < 1:
                raise EngineError(f"{name} is {given}, expected 1 or more, or null for the machine's cores")
        self.n_jobs = n_jobs or max(2, _n_cores() // 2)
        environment = worker_environment(threads or max(1, _n_cores() // self.n_jobs))
        # loky ends a worker that has grown by 300 MB, and a worker that has compiled a few programs has.
        self._environment = environment | {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e18"}
        # A thread for each worker, which holds a pool of that one worker: one that dies takes no other's task along.
        self._threads = ThreadPoolExecutor(self.n_jobs)
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
            value, error = self._pool(me).submit(answer, function, args).result()
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
        # All at once: a second signal while one is waited for would leave the rest at their tasks.
        with ThreadPoolExecutor(self.n_jobs) as closers:
            for pool in pools:
                closers.submit(pool.shutdown, wait=True, kill_workers=now)
        self._threads.shutdown(wait=True)


def _n_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start_worker(parent: int) -> None:
    """Runs first in a worker: Ctrl-C is left to the parent, and with the parent the worker ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
