"""What a command refuses: a bad input, or arguments that do not go together."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from xorjax.errors import SetupError, UserError
from xorjax.files import place_of, place_of_directory


class CommandError(UserError):
    """Bad input: one line that names the file, the tensor and what was expected. Exit code 1."""


class UsageError(UserError):
    """Arguments that no input would make right. Exit code 2."""


@contextmanager
def refusing(path: str | Path | None = None) -> Iterator[None]:
    """Turns what the system refuses, and what the library says is the user's error, into a `CommandError`.

    `path` is named where the library could not. All else is a bug, and goes on as it is.
    """
    prefix = "" if path is None else f"{path}: "
    try:
        yield
    except (CommandError, UsageError):
        raise
    except OSError as error:
        if error.filename is None:
            raise CommandError(f"{prefix}{error.strerror or error}") from error
        raise CommandError(f"{error.filename}: {error.strerror}") from error
    except MemoryError as error:
        raise CommandError(f"{prefix}there is not enough memory ({error})") from error
    except SetupError as error:
        raise CommandError(str(error)) from error
    except UserError as error:
        raise CommandError(f"{prefix}{error}") from error


def check_not_input(output: str, inputs: Iterable[str | Path]) -> None:
    """Raises CommandError: OUT is one of the inputs, by whatever name, and would replace it; `--force` or not."""
    for path in inputs:
        if Path(output).exists() and Path(path).exists() and Path(output).samefile(path):
            raise CommandError(f"{output}: it is the input {path}, expected another OUT")


def check_output(path: str, force: bool) -> None:
    """Before any work is done.

    Raises:
        CommandError: `path` exists and may not be overwritten or is no file, or its directory does not exist.
    """
    with refusing():
        place = place_of(Path(path))
    if place.exists() and not force:
        raise CommandError(f"{path}: it exists already; --force overwrites it")


def check_output_directory(path: str, force: bool) -> None:
    """Before any work is done.

    Raises:
        CommandError: `path` is a file, or a directory that is not empty and may not be written into, or its own
            directory does not exist.
    """
    check_directory(path)
    out = Path(path)
    if out.is_dir() and any(out.iterdir()) and not force:
        raise CommandError(f"{path}: it is not empty; --force writes into it")


def check_directory(path: str) -> None:
    """Raises CommandError: `path` is no directory and cannot become one."""
    try:
        place_of_directory(Path(path))
    except OSError as error:
        shards = ": shards are written to one" if error.errno == errno.EINVAL else ""
        raise CommandError(f"{path}: {error.strerror}{shards}") from error
