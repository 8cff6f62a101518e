"""What made a result: versions, commit, device."""

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import xorjax
from xorjax.errors import SetupError

LIBRARIES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "numpy",
    "numba",
    "galois",
    "constriction",
    "tensorflow-datasets",
)


@cache
def provenance() -> dict[str, str]:
    """Versions of what computes, and the `commit`."""
    return {
        "commit": commit(),
        "python_version": platform.python_version(),
        "jax_version": version("jax"),
        "numpy_version": version("numpy"),
        "xorjax_version": xorjax.__version__,
    }


def device() -> str:
    """What JAX computes on, which it reserves to say so: not for stages that have no use for it.

    Raises:
        SetupError: there is no such device; JAX_PLATFORMS may name it.
    """
    import jax

    try:
        return jax.devices()[0].device_kind
    except RuntimeError as error:
        raise SetupError(f"JAX finds nothing to compute on: {' '.join(str(error).split())}") from error


def versions() -> dict[str, str]:
    """The installed version of every library that a result depends on."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


@cache
def commit() -> str:
    """Of the checkout that this code is in, with "+" if the tree has changes; "" outside one."""

    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # An installed copy inside some other repository is not that repository's commit.
        if not git("ls-files", Path(__file__).name):
            return ""
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
