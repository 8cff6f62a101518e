"""What every program does around its work: streams that can always be printed to, and signals that are as Ctrl-C."""

import ctypes
import errno
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_ENDING = (signal.SIGTERM, signal.SIGHUP)


def run_program(work: Callable[[], int], prefix: str = "error") -> int:
    """The exit code of `work`; 1 in place of 0 if what it printed could not be written, which a line then says.

    Printing fails no work: what cannot be written is dropped, and characters that the terminal lacks are replaced. A
    reader such as `head`, which closes its end, is told nothing. A variable XORJAX_... that is empty is as one that is
    not set.
    """
    for name in [name for name, value in os.environ.items() if name.startswith("XORJAX_") and not value]:
        del os.environ[name]
    output = _open_streams()
    try:
        code = work()
    except SystemExit as ended:
        if ended.code or not _tell_failed(output, prefix):
            raise
        return 1
    return code or int(_tell_failed(output, prefix))


def wrong_variable(error: Exception) -> str | None:
    """The sentence for a variable JAX_... that has no such value; when it is imported, JAX raises a bare ValueError."""
    found = re.search(r"for JAX flag (jax_\w+)$|for environment '(JAX_\w+)'$", str(error))
    if found is None or not isinstance(error, ValueError):
        return None
    name = (found[1] or found[2]).upper()
    return f"the variable {name} is {os.environ.get(name)!r}, which JAX does not take"


class _Sink(io.FileIO):
    """A standard stream, which drops what it cannot write and keeps the first error."""

    error: OSError | None = None

    def write(self, data: Any, /) -> int | None:
        try:
            return super().write(data)
        except OSError as error:
            self.error = self.error or error
            return memoryview(data).nbytes


def _open_streams() -> _Sink | None:
    """Standard output's, unless somebody has put another stream in its place: tests do."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The next file to be opened would take its number, and be printed to.
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stderr is sys.__stderr__:
        sys.stderr, _ = _lenient(2, sys.stderr, "backslashreplace")
    if sys.stdout is not sys.__stdout__:
        return None
    sys.stdout, sink = _lenient(1, sys.stdout, "replace")
    return sink


def _lenient(descriptor: int, stream: TextIO | None, errors: str) -> tuple[TextIO, _Sink]:
    sink = _Sink(descriptor, "wb", closefd=False)
    if stream is None:
        sink.error = OSError(errno.EBADF, "it is closed")
        return io.TextIOWrapper(io.BufferedWriter(sink), "utf-8", errors), sink
    assert isinstance(stream, io.TextIOWrapper)
    if stream.errors != "strict":
        errors = stream.errors or errors
    buffer: Any = sink if stream.write_through else io.BufferedWriter(sink)
    return io.TextIOWrapper(
        buffer,
        stream.encoding,
        errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    ), sink


def _tell_failed(output: _Sink | None, prefix: str) -> bool:
    if output is None:
        return False
    sys.stdout.flush()
    if output.error is None:
        return False
    if output.error.errno != errno.EPIPE:
        print(f"{prefix}: standard output: {output.error.strerror}", file=sys.stderr)
    return True


def keep_freed_memory() -> None:
    """Have glibc keep what is freed: a training step frees arrays of the size that the next one takes.

    Given back to the system, which is its default for large ones, they are mapped and cleared anew in every step.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(libc, "mallopt"):
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    for parameter, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**28)):
        libc.mallopt(parameter, value)


@contextmanager
def interruptible() -> Iterator[None]:
    """In the block `signals_interrupt`, afterwards as before; in a thread of its own the signals are its caller's."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers, hook = {number: signal.getsignal(number) for number in _ENDING}, sys.unraisablehook
    signals_interrupt()
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in handlers.items():
            if handler is not None:  # set by no Python, and then left alone
                signal.signal(number, handler)


def signals_interrupt() -> None:
    """SIGTERM and SIGHUP, unless it is ignored as under nohup, are as Ctrl-C, so that what is being made is left in
    order. A second one is not waited for.
    """
    for number in _ENDING:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, signal.default_int_handler)
    sys.unraisablehook = _interrupt_again


def _interrupt_again(unraisable: Any) -> None:
    """Ctrl-C where Python cannot raise it, in a callback of the garbage collector, comes a moment later."""
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    else:
        sys.__unraisablehook__(unraisable)


def signals_end_it() -> None:
    """From here on Ctrl-C and the signals end the process at once: what is left is Python's own end, where an exception
    would be printed and stop nothing.
    """
    for number in (signal.SIGINT, *_ENDING):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
