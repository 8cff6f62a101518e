"""What every engine is to its callers, and how a task's answer travels."""

import pickle
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, runtime_checkable

import cloudpickle

from xorjax.errors import UserError


class EngineError(UserError, RuntimeError):
    """An engine that is not installed, cannot be reached or cannot run the tasks; the message says what to do."""


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


class Kept:
    """An engine for several runs, each of which closes it at its end: only `now` does."""

    def __init__(self, engine: Engine):
        self.engine, self.n_jobs = engine, engine.n_jobs

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        return self.engine.submit(function, *args)

    def close(self, now: bool = False) -> None:
        if now:
            self.engine.close(now=True)


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


def answer(function: Callable[..., Any], args: tuple) -> tuple[Any, Exception | None]:
    """The task's value, or what it raised, with the worker's traceback as a note."""
    try:
        return function(*args), None
    except Exception as error:
        return None, travelling(error)


def travelling(error: Exception) -> Exception:
    """An error that is being handled as it can go to another process, with its traceback as a note."""
    note = "in a worker:\n" + "".join(traceback.format_exception(error))
    try:
        pickle.loads(cloudpickle.dumps(error))
    except Exception:
        # An exception whose constructor does not take its own arguments cannot travel.
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(note)
    return error
