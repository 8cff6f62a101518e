"""numba's compiled code: on all threads, in a forked process on one, and kept on disk.

Without what is kept work only takes longer: damage in it and a full disk fail nothing.
"""

import hashlib
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from threading import Lock
from types import FunctionType, ModuleType
from typing import Any

from xorjax.errors import SetupError


class NotCompiled(SetupError):
    """numba is told not to compile, cannot start or has no threads, and the encoder is nothing without."""


def _by_variables(what: str, error: Exception) -> NotCompiled:
    given = ", ".join(
        f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_")
    )
    return NotCompiled(f"{what} with {given or 'none of its variables set'}: {error}")


try:
    import numba
    import numba.core.config
    from numba.core.caching import FunctionCache
except (ValueError, RuntimeError) as error:
    raise _by_variables("numba does not start", error) from error

# Its settings are made when it is imported.
config: Any = numba.core.config

_SOURCES = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py"))))


def compile_parallel(function: Callable) -> Any:
    """Compiled for all threads, and kept on disk where numba finds a directory it may write to.

    The same function is compiled for one thread as well, for where the threads are not to be had. A process that was
    forked after they began has none of them, and numba's OpenMP layer ends it when they are called for. Where another
    Python thread has them, numba's own layer ends the process.
    """
    if config.DISABLE_JIT:
        return _refuse
    alone = FunctionType(function.__code__, function.__globals__, closure=function.__closure__)
    alone.__qualname__ = f"{function.__qualname__}_alone"
    on_threads, on_one = _compile(function, parallel=True), _compile(alone, parallel=False)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        if _threads_are_lost or not _threads.acquire(blocking=False):
            return on_one(*arguments)
        try:
            return on_threads(*arguments)
        finally:
            _threads.release()

    return call


def compile_alone(function: Callable) -> Any:
    """Compiled for one thread, and kept on disk as `compile_parallel` does. Where numba is told not to compile, it is
    the function itself: slow, the same answer.
    """
    return function if config.DISABLE_JIT else _compile(function, parallel=False)


def _compile(function: Callable, parallel: bool) -> Any:
    """numba takes what it kept for current while the function's own file is the same, but functions of other files are
    compiled into it: it is kept under a name that holds a hash of the whole room.
    """
    function.__qualname__ += f"_{_SOURCES.hexdigest()[:16]}"
    compiled: Any = numba.njit(parallel=parallel, nogil=True)(function)
    # A read-only install and no writable home: compiled in each process.
    with suppress(RuntimeError):
        compiled._cache = _Kept(function)
    return compiled


def n_threads() -> int:
    """Those that compiled functions run on.

    Raises:
        NotCompiled: numba has none, by its settings.
    """
    try:
        return numba.get_num_threads()
    except ValueError as error:
        raise _by_variables("numba has no threads", error) from error


_threads = Lock()
_threads_are_lost = False


def _after_fork() -> None:
    global _threads_are_lost
    with suppress(ValueError):  # No threads have begun.
        _threads_are_lost = bool(numba.threading_layer())  # pyright: ignore[reportPrivateImportUsage]


if hasattr(os, "register_at_fork"):
    from numba.core.compiler_lock import global_compiler_lock as _compiling

    os.register_at_fork(after_in_child=_after_fork)
    # A process that is forked while another thread compiles would wait for that thread, which it lacks.
    os.register_at_fork(
        before=_compiling.acquire, after_in_parent=_compiling.release, after_in_child=_compiling.release
    )


def import_galois() -> ModuleType:
    """galois, which compiles with numba when it is imported; slow, so when it is used."""
    try:
        import galois
    except Exception as error:  # unpickling what is damaged raises whatever it pleases
        before = config.CACHE_DIR
        with tempfile.TemporaryDirectory() as empty:
            config.CACHE_DIR = empty
            try:
                import galois
            except RuntimeError as again:  # no place to keep what it compiles
                raise _by_variables("galois cannot be compiled", again) from again
            finally:
                config.CACHE_DIR = before
        places = {*galois.__path__, before} - {""}
        _tell(
            f"the *.nbi files of galois in {' or '.join(sorted(places))} cannot be read, delete them", error
        )
    return galois


class _Kept(FunctionCache):
    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # as above
            _tell(f"compiled code in {self.cache_path} cannot be read", error)
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except (OSError, EOFError, ValueError, pickle.PickleError) as error:
            _tell(f"compiled code in {self.cache_path} cannot be written", error)
            self.disable()


def _tell(what: str, error: Exception) -> None:
    warnings.warn(f"compiling again: {what} ({str(error) or type(error).__name__})", stacklevel=2)


def _refuse(*_: Any) -> Any:
    raise NotCompiled("NUMBA_DISABLE_JIT is set, and the encoder is compiled code: unset it")
