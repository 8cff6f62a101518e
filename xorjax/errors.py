"""Whose fault an error is: those of this class are the user's to mend, all others are bugs and show their traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """A setting, a file or a command that cannot be; the message is one sentence that says what was expected.

    Errors of a room derive from it and from the built-in class that fits, such as `ValueError`.
    """


class SetupError(UserError, RuntimeError):
    """What the machine or its variables do not allow: no input is at fault, and all other work would meet it."""


@contextmanager
def about(what: str, error: type[ValueError] = ValueError) -> Iterator[None]:
    """A `ValueError` raised inside becomes an `error` that says first what it is about: "stream 'codes': ..."."""
    try:
        yield
    except ValueError as raised:
        raise error(f"{what}: {raised}") from raised
