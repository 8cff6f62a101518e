"""Tasks in this process, one after the other."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class Serial:
    """Runs a task in this process when it is submitted. What is no `Exception`, such as Ctrl-C, goes through."""

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
