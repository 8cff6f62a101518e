"""At most one process makes a stage; others work on other stages meanwhile."""

from contextlib import AbstractContextManager
from pathlib import Path

from xorjax import paths
from xorjax.artifacts.graph import Stage
from xorjax.locks import Locked as Claimed
from xorjax.locks import try_for, wait_for

__all__ = ["Claimed", "alone", "claim"]


def alone(runs: Path, kind: str, name: str) -> AbstractContextManager[None]:
    return wait_for(paths.claim_file(runs, kind, name))


def claim(runs: Path, stage: Stage) -> AbstractContextManager[None]:
    return try_for(paths.claim_file(runs, stage.kind, stage.name))
