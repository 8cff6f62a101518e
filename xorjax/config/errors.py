"""How errors are printed: one line for those that are the user's to mend, a traceback for ours."""

import re
import sys
import traceback
from collections.abc import Sequence

from hydra.errors import ConfigCompositionException, HydraException
from omegaconf.errors import OmegaConfBaseException

from xorjax.errors import UserError
from xorjax.program import wrong_variable

USER, INTERNAL, INTERRUPTED = 2, 1, 130
"""Exit codes."""


class ConfigError(UserError, ValueError):
    """Settings that cannot be: a sentence for each problem, naming the key, its value and what is allowed."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def report(error: Exception) -> int:
    """Print `error` to standard error; returns the exit code it calls for.

    The user's are those of the class `UserError` (a wrong setting, a damaged file), those of the system (a directory
    that cannot be written), and Hydra's own about the command line.
    """
    if isinstance(error, (UserError, OSError, HydraException, OmegaConfBaseException)):
        print(*(f"error: {line}" for line in sentences(error)), sep="\n", file=sys.stderr, flush=True)
        return USER
    if wrong := wrong_variable(error):
        print(f"error: {wrong}", file=sys.stderr, flush=True)
        return USER
    traceback.print_exception(error)
    return INTERNAL


def sentences(error: Exception) -> tuple[str, ...]:
    """A sentence for each problem that the user has to mend."""
    return error.problems if isinstance(error, ConfigError) else (_sentence(error),)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    if several := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)'", text):
        return (
            f"{several[1]} has several values, and this command is for one point, by --cfg, hydra.mode=RUN or "
            "+debug=one_point; give one value"
        )
    if several := re.match(r"Sweeping over Hydra's configuration is not supported : '(.*?)=(.*)'", text):
        return (
            f"{several[1]}={several[2]} is of Hydra's own settings, which take one value; a list is written "
            f"{several[1]}=[{several[2]}]"
        )
    if re.search(r"Could not find 'hydra/launcher/(slurm|submitit\w*)'", text):
        return (
            "hydra/launcher must be serial, joblib or ray; jobs of SLURM are run by python scripts/slurm.py"
        )
    if launcher := re.search(r"Could not find 'hydra/launcher/(.+?)'", text):
        return f"hydra/launcher is {launcher[1]}; it must be serial, joblib or ray"
    # The key is a setting, since overrides are checked, but it is not in what was composed. Hydra would advise `+key`.
    missing = re.match(r"Could not override '(\w+)\.?(\w*)'", text)
    if missing is None or not isinstance(error, ConfigCompositionException):
        return text
    from xorjax.config.validate import KINDS
    from xorjax.merge import having

    group, name = missing.groups()
    if group in KINDS:
        kinds = having(KINDS[group](), group, name)
        told = "neither of which is chosen" if " or " in kinds else "which is not chosen"
        return f"{group}.{name} is a setting of {kinds}, {told}"
    return f"{group} has rules of the experiment, and is merged with them; write {group}=null before, to replace them"
