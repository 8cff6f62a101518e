"""Tasks on a Ray cluster. Ray is imported when it is wanted, since it is no requirement."""

import logging
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import cloudpickle

from xorjax.engines.base import EngineError, WorkerLost, answer, worker_environment

RAY_RETRIES = 10
"""How often Ray reruns a task whose worker died; finite, so that a task that kills every worker ends."""

OOM_RETRIES = 3
"""The same where Ray ended the worker for want of memory, which it counts apart, and would retry for ever."""

LONGEST_WITHOUT_ROOM = 300.0
"""Seconds for which no living node may have room for a task; longer, and the open ones fail."""

PERIOD = 10.0
"""Seconds between two looks at the nodes."""

LONGEST_ANSWER = 10.0
"""Seconds that the head has to say which nodes there are; one that is gone never answers."""

LONGEST_CLOSE = 10.0
"""Seconds that tasks have to end when they are stopped; a node that is gone never answers."""


class Ray:
    """The Ray cluster at `address`: host:port, "auto" for the one that runs here, "local" for one of its own, and
    None for RAY_ADDRESS, the one that runs here, or else one of its own.

    A task whose worker or node dies runs again elsewhere, `RAY_RETRIES` times at most. When no node that is left has
    had room for a task for `LONGEST_WITHOUT_ROOM`, those that are open fail with an `EngineError`. A connection that is
    there already is used and left open.

    Args:
        address: of the cluster.
        cpus_per_task: cores that a task takes.
        gpus_per_task: GPUs that a task takes, also a part of one.

    Raises:
        EngineError: Ray is not installed, there is no cluster at `address`, or none of its nodes can hold a task.
    """

    def __init__(self, address: str | None, cpus_per_task: int | float = 1, gpus_per_task: int | float = 0):
        # Under `uv run` Ray would send a copy of the working directory to its workers, which is no checkout: they have
        # the package from where the cluster has it.
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        os.environ.setdefault("RAY_task_oom_retries", str(OOM_RETRIES))
        if not os.environ.get("RAY_ADDRESS"):
            os.environ.pop("RAY_ADDRESS", None)  # empty is as not set, which Ray does not know
        elsewhere = address or os.environ.get("RAY_ADDRESS")
        if elsewhere not in (None, "auto", "local") and _has_token() and "ray" not in sys.modules:
            # `ray start` does so by itself; a connection to an address does not, and would be refused. A cluster
            # without authentication does not mind. Read when Ray is imported.
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            import ray
        except ImportError as error:
            raise EngineError("Ray is not installed: pip install 'xorjax[ray]'") from error
        self._own = not ray.is_initialized()
        if self._own:
            _connect(address)
        self._needs = cpus_per_task, gpus_per_task
        try:
            self.n_jobs = tasks_at_once(_living_nodes(), *self._needs)
        except EngineError:
            if self._own:
                ray.shutdown()
            raise
        self._task = ray.remote(_answer_on_cluster).options(
            num_cpus=cpus_per_task, num_gpus=gpus_per_task, max_retries=RAY_RETRIES
        )
        self._environment = worker_environment(max(1, int(cpus_per_task)))
        self._open: dict[Future, Any] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        # Pickled here, so that the worker has its environment before the function's module is imported.
        reference = self._task.remote(self._environment, cloudpickle.dumps((function, args)))
        future: Future = Future()
        self._open[future] = reference
        future.add_done_callback(self._open.pop)
        reference.future().add_done_callback(lambda answered: _pass_on(answered, future))
        return future

    def close(self, now: bool = False) -> None:
        import ray

        if now:
            for reference in list(self._open.values()):
                ray.cancel(reference, force=True)
        wait(list(self._open), timeout=LONGEST_CLOSE if now else None)
        self._closed.set()
        self._fail(WorkerLost("the engine was closed, and the task did not answer"))
        if self._own:
            ray.shutdown()

    def _watch(self) -> None:
        """Ray waits without a word for a node that has room."""
        had_room = time.monotonic()
        while not self._closed.wait(PERIOD):
            try:
                tasks_at_once(_within(LONGEST_ANSWER, _living_nodes), *self._needs)
                had_room = time.monotonic()
                continue
            except EngineError as error:
                reason = error
            except Exception as error:
                reason = EngineError(
                    f"the Ray cluster does not answer: {str(error) or 'its head may be gone'}"
                )
            if time.monotonic() - had_room > LONGEST_WITHOUT_ROOM:
                self._fail(reason)

    def _fail(self, error: Exception) -> None:
        for future in list(self._open):
            _settle(future, None, error)


def _has_token() -> bool:
    """Whether this machine has a token of Ray's, where Ray looks for one."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token").is_file()


def _living_nodes() -> list[Mapping[str, int | float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _within(seconds: float, function: Callable[[], Any]) -> Any:
    """What it returns; TimeoutError if it does not, as Ray where the head is gone."""
    answered: Future = Future()

    def call() -> None:
        try:
            answered.set_result(function())
        except Exception as error:
            answered.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return answered.result(seconds)


def tasks_at_once(
    nodes: Iterable[Mapping[str, int | float]], cpus_per_task: int | float, gpus_per_task: int | float
) -> int:
    """How many tasks the nodes hold together, from what each has: "CPU", "GPU".

    Raises:
        EngineError: none of them holds one, which Ray would wait for without a word.
    """
    wanted = {"CPU": cpus_per_task, "GPU": gpus_per_task}
    nodes = list(nodes)
    # Not //, by which 1 GPU holds 9 tasks of 0.1.
    n_tasks = sum(
        min((int(node.get(kind, 0) / n + 1e-9) for kind, n in wanted.items() if n), default=1)
        for node in nodes
    )
    if not n_tasks:
        most = max(
            nodes, key=lambda node: [node.get(kind, 0) for kind in ("GPU", "CPU") if wanted[kind]], default={}
        )
        raise EngineError(
            f"no node of the Ray cluster holds a task of cpus_per_task={cpus_per_task:g} and "
            f"gpus_per_task={gpus_per_task:g}: the largest has {most.get('CPU', 0):g} cores and "
            f"{most.get('GPU', 0):g} GPUs; lower the setting, or start a node that has them"
        )
    return n_tasks


def _connect(address: str | None) -> None:
    import ray

    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        if isinstance(error, ConnectionError) and not _has_token():
            reason += "; if it was started with token authentication, its ~/.ray/auth_token is needed here"
        raise EngineError(f"no Ray cluster at {address or 'this machine'}: {reason}") from error
    finally:
        # In its place Ray puts one that exits at once.
        if on_sigterm is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)


def _pass_on(answered: Future, future: Future) -> None:
    from ray.exceptions import RayError

    try:
        value, error = answered.result()
    except RayError as refused:
        value, error = None, _explained(refused)
    except Exception as other:
        value, error = None, other
    _settle(future, value, error)


def _settle(future: Future, value: Any, error: Exception | None) -> None:
    # It may have failed for want of a node before its answer came.
    with suppress(InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)


def _explained(error: Exception) -> EngineError | WorkerLost:
    """What Ray says in place of an answer: that the worker is lost, or that it can run no task, which another try
    would not change.
    """
    from ray.exceptions import RayTaskError, RuntimeEnvSetupError, TaskUnschedulableError

    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    if isinstance(error, RayTaskError):
        # What a task itself raises is in its answer. Of a traceback the last line says what it is about.
        return EngineError(
            f"a worker of the Ray cluster cannot run tasks: {lines[-1]}; it needs the packages of this process"
        )
    said = f"{type(error).__name__}: {lines[0]}"
    if isinstance(error, (RuntimeEnvSetupError, TaskUnschedulableError)):
        return EngineError(f"the Ray cluster cannot run the task: {said}")
    return WorkerLost(f"the task was lost on the cluster ({said})")


def _answer_on_cluster(environment: dict[str, str], payload: bytes) -> tuple[Any, Exception | None]:
    os.environ.update(environment)
    return answer(_call, (payload,))


def _call(payload: bytes) -> Any:
    function, args = pickle.loads(payload)
    return function(*args)
