"""Whose fault an error is: those of this class are the user's to mend, all others are bugs and show their traceback."""


class UserError(Exception):
    """A setting, a file or a command that cannot be; the message is one sentence that says what was expected.

    Errors of a room derive from it and from the built-in class that fits, such as `ValueError`.
    """
