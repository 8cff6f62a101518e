"""How errors are printed: one line for those that are the user's to mend, a traceback for ours."""

import sys
import traceback
from collections.abc import Sequence

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

USER, INTERNAL, INTERRUPTED = 2, 1, 130
"""Exit codes."""


class ConfigError(ValueError):
    """Settings that cannot be: a sentence for each problem, naming the key, its value and what is allowed."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def report(error: Exception) -> int:
    """Print `error` to standard error; returns the exit code it calls for.

    The user's are the errors with a class of their own in xorjax (a wrong setting, a damaged file), those of
    the system (a directory that cannot be written), and Hydra's own about the command line.
    """
    if _is_users(error):
        lines = error.problems if isinstance(error, ConfigError) else (" ".join(str(error).split()),)
        print(*(f"error: {line}" for line in lines), sep="\n", file=sys.stderr, flush=True)
        return USER
    traceback.print_exception(error)
    return INTERNAL


def _is_users(error: Exception) -> bool:
    own = type(error).__module__.startswith("xorjax.")
    return own or isinstance(error, (OSError, HydraException, OmegaConfBaseException))
