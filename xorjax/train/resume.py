"""What a run leaves to go on from: its progress as one checkpoint, which only the same run restores."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from xorjax.params import Masks, Params
from xorjax.train.checkpoint import CheckpointError, Checkpoints
from xorjax.train.step import Recipe, TrainState

Host = dict[str, np.ndarray]
"""Parameters and state together, copied to the host."""


@dataclass
class Progress:
    """Where a run is: everything that a checkpoint holds."""

    epoch: int
    state: TrainState
    best: Host
    best_epoch: int = 0
    best_metric: float = 0.0
    kept: dict[int, Host] = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)


def identity(
    recipe: Recipe,
    arrays: Params,
    masks: Masks,
    first_epoch: int,
    keep_epochs: tuple[int, ...],
    n_train: int,
) -> dict:
    """What tells a run from others: a checkpoint of another is not resumed."""
    form = recipe.forward.form
    return {
        "task": repr(recipe.task),
        "optim": asdict(recipe.optim),
        "seed": recipe.seed,
        "start": recipe.forward.start,
        "frozen": sorted(recipe.frozen),
        "form": repr(form) if not hasattr(form, "__name__") else form.__name__,
        "first_epoch": first_epoch,
        "keep_epochs": sorted(keep_epochs),
        "n_train": n_train,
        "began_with": _sha256({**arrays, **{f"mask of {key}": mask for key, mask in masks.items()}}),
    }


def _sha256(arrays: Mapping[str, jax.Array | None]) -> str:
    digest = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        digest.update(f"{key}:".encode())
        digest.update(b"" if array is None else np.asarray(array).tobytes())
    return digest.hexdigest()


def save(checkpoints: Checkpoints, progress: Progress, run: dict) -> None:
    """Write the progress of `run`, an `identity`."""
    leaves = jax.tree.leaves(progress.state)
    arrays = {"state": {str(i): leaf for i, leaf in enumerate(leaves)}, "best": progress.best}
    if progress.kept:
        arrays["kept"] = {str(epoch): host for epoch, host in progress.kept.items()}
    info = {
        "run": run,
        "epoch": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_metric": progress.best_metric,
        "history": progress.history,
    }
    checkpoints.save(progress.epoch, arrays, info)


def restore(checkpoints: Checkpoints, progress: Progress, run: dict) -> None:
    """Set `progress` to the newest checkpoint's, if there is one.

    A checkpoint that is damaged or another run's is dropped, with a line on standard error.
    """
    if checkpoints.latest is None:
        return
    try:
        arrays, info = checkpoints.restore(checkpoints.latest)
        if info["run"] != json.loads(json.dumps(run)):
            differing = [key for key in run if json.dumps(run[key]) != json.dumps(info["run"].get(key))]
            raise CheckpointError(f"it is another run's ({', '.join(differing)} differ)")
    except CheckpointError as error:
        print(f"{checkpoints.directory}: {error}; the training restarts", file=sys.stderr, flush=True)
        checkpoints.clear()
        return
    treedef = jax.tree.structure(progress.state)
    leaves = [jnp.array(arrays["state"][str(i)], copy=True) for i in range(treedef.num_leaves)]
    progress.state = jax.tree.unflatten(treedef, leaves)
    progress.best = arrays["best"]
    progress.kept = {int(epoch): host for epoch, host in arrays.get("kept", {}).items()}
    progress.epoch, progress.history = info["epoch"], info["history"]
    progress.best_epoch, progress.best_metric = info["best_epoch"], info["best_metric"]
