"""What is to be made: stages, what each is made from, and what makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One artifact to be, named by a hash of what determines it. `epochs` is 0 where nothing is trained."""

    kind: str
    name: str
    epochs: int = 0


@dataclass(frozen=True)
class Node:
    """A stage and all that a process needs to make it; it pickles.

    Attributes:
        needs: the stages that it is made from.
        build: a function at the top of a module, called with the directory to fill, the artifacts of `needs` by name
            and `args`; returns the artifact's summary.
        args: the rest of its arguments.
        outside: files that `build` writes elsewhere, and that are the artifact's like those in its directory.
    """

    stage: Stage
    needs: tuple[Stage, ...]
    build: Callable[..., dict[str, Any]]
    args: tuple = ()
    outside: tuple[Path, ...] = ()
