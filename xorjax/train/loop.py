"""The epoch loop: train, validate, keep the best epoch, write a checkpoint, go on.

A kill at any moment costs at most the epoch under way: the same call finds the newest checkpoint and continues
to the same result bit for bit, since the batches of an epoch depend on (seed, epoch) only.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from xorjax.config.schema import OptimConfig
from xorjax.data.batches import Split, eval_batches, steps_per_epoch, train_batches
from xorjax.params import Masks, Params, layer_name
from xorjax.train.checkpoint import CheckpointError, Checkpoints
from xorjax.train.health import find_collapse
from xorjax.train.metrics import FILE_NAME, append_metrics, write_metrics
from xorjax.train.optimizer import Optimizer
from xorjax.train.step import TrainState, Weights, eval_step, train_step

EVAL_BATCH_SIZE = 1000
STEPS_BETWEEN_LOOKS = 50
"""The loss is looked at so often: once it is not finite it stays so."""


class TrainingError(ValueError):
    """Training cannot go on."""


@dataclass(frozen=True)
class Task:
    """What is trained. Blocks before number `start` are not run: the inputs are their features.

    `key` is the setting that `optim` comes from, for messages.
    """

    graphdef: nnx.GraphDef
    weights: Weights
    optim: OptimConfig
    seed: int
    start: int = 0
    frozen: frozenset[str] = frozenset()
    key: str = "optim"


@dataclass(frozen=True)
class TrainResult:
    """`params` are those of the best epoch by validation accuracy, the earliest among equals."""

    params: Params
    best_epoch: int
    validation_accuracy: float
    kept: dict[int, Params]
    history: list[dict]


@dataclass
class _Progress:
    """Where a run is: everything that a checkpoint holds. Parameters are copies on the host."""

    epoch: int
    state: TrainState
    best: dict[str, np.ndarray]
    best_epoch: int = 0
    best_accuracy: float = -1.0
    kept: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)


def train(
    task: Task,
    params: Params,
    masks: Masks,
    train: Split,
    validation: Split,
    work_dir: Path,
    *,
    first_epoch: int = 0,
    keep_epochs: tuple[int, ...] = (),
    on_epoch: Callable[[dict], None] = lambda row: None,
) -> TrainResult:
    """Train `params` from epoch `first_epoch` to `task.optim.epochs`; resume what `work_dir` holds of it.

    `keep_epochs` are the epochs after which the parameters are kept as well (`first_epoch`: the initial ones).
    All parameters returned are full: the frozen ones included. `on_epoch` is called with each new line of
    `work_dir/metrics.jsonl` once its checkpoint is written, and with those that it resumes from. A checkpoint that is
    damaged or another run's is dropped, with a line on standard error.

    Raises:
        TrainingError: the loss is not finite, or a layer has collapsed; names the epoch and the step.
        ValueError: nothing to train.
    """
    last_epoch = task.optim.epochs
    if not 0 <= first_epoch < last_epoch:
        raise ValueError(
            f"first_epoch is {first_epoch}, expected at least 0 and below optim.epochs {last_epoch}."
        )
    if outside := [epoch for epoch in keep_epochs if not first_epoch <= epoch <= last_epoch]:
        raise ValueError(f"keep_epochs {outside} lie outside the run's epochs {first_epoch} to {last_epoch}.")
    optimizer = Optimizer(task.optim, steps_per_epoch(train.size, task.optim.batch_size))
    frozen = {key: value for key, value in params.items() if layer_name(key) in task.frozen}
    trained = {key: value for key, value in params.items() if key not in frozen}
    progress = _start(optimizer, trained, first_epoch, keep_epochs)
    run = _identity(task, params, masks, first_epoch, keep_epochs, train.size)
    work_dir.mkdir(parents=True, exist_ok=True)
    with Checkpoints(work_dir / "checkpoints") as checkpoints:
        _restore(checkpoints, progress, run)
        write_metrics(work_dir / FILE_NAME, progress.history)
        for row in progress.history:
            on_epoch(row)
        while progress.epoch < last_epoch:
            row = _run_epoch(task, optimizer, progress, frozen, masks, train, validation)
            if progress.epoch in keep_epochs:
                progress.kept[progress.epoch] = _to_host(progress.state.params)
            _save(checkpoints, progress, run)
            append_metrics(work_dir / FILE_NAME, row)
            on_epoch(row)

    def full(host: dict[str, np.ndarray]) -> Params:
        return {key: jnp.asarray(host[key]) if key in host else params[key] for key in params}

    kept = {epoch: full(host) for epoch, host in progress.kept.items()}
    return TrainResult(
        full(progress.best), progress.best_epoch, progress.best_accuracy, kept, progress.history
    )


def _identity(
    task: Task, params: Params, masks: Masks, first_epoch: int, keep_epochs: tuple[int, ...], n_train: int
) -> dict:
    """What tells a run from others: a checkpoint of another is not resumed."""
    return {
        "optim": asdict(task.optim),
        "seed": task.seed,
        "start": task.start,
        "frozen": sorted(task.frozen),
        "weights": repr(task.weights) if not hasattr(task.weights, "__name__") else task.weights.__name__,
        "first_epoch": first_epoch,
        "keep_epochs": sorted(keep_epochs),
        "n_train": n_train,
        "began_with": _sha256({**params, **{f"mask of {key}": mask for key, mask in masks.items()}}),
    }


def _sha256(arrays: Mapping[str, jax.Array | None]) -> str:
    digest = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        digest.update(f"{key}:".encode())
        digest.update(b"" if array is None else np.asarray(array).tobytes())
    return digest.hexdigest()


def evaluate(
    graphdef: nnx.GraphDef, weights: Weights, start: int, params: Params, masks: Masks, split: Split
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over a whole split."""
    batches = eval_batches(split, min(EVAL_BATCH_SIZE, split.size))
    sums = [eval_step(graphdef, weights, start, params, masks, batch) for batch in batches]
    loss, correct, n = (sum(float(batch[key]) for batch in sums) for key in ("loss", "correct", "n"))
    return loss / n, correct / n


def _to_host(params: Params) -> dict[str, np.ndarray]:
    # Copies: on CPU a plain conversion is a view, which keeps the next step from reusing the buffer.
    return {key: np.array(value, copy=True) for key, value in params.items()}


def _start(
    optimizer: Optimizer, trained: Params, first_epoch: int, keep_epochs: tuple[int, ...]
) -> _Progress:
    host = _to_host(trained)
    # The step donates its state, the caller keeps its parameters: start from a copy.
    params = {key: jnp.array(value, copy=True) for key, value in trained.items()}
    step = jnp.int32(first_epoch * optimizer.steps_per_epoch)
    state = TrainState(params, optimizer.init(params), step)
    return _Progress(first_epoch, state, host, kept={first_epoch: host} if first_epoch in keep_epochs else {})


def _run_epoch(
    task: Task,
    optimizer: Optimizer,
    progress: _Progress,
    frozen: Params,
    masks: Masks,
    train: Split,
    validation: Split,
) -> dict:
    """Train one epoch, validate, and note both in `progress`; returns the line for the metrics."""
    epoch = progress.epoch + 1
    batch_size = task.optim.batch_size
    first_step = progress.epoch * optimizer.steps_per_epoch
    state, metrics = progress.state, []
    for batch in train_batches(train, batch_size, task.seed, progress.epoch):
        state, of_step = train_step(
            task.graphdef, optimizer, task.weights, task.start, state, frozen, masks, batch
        )
        metrics.append(of_step)
        # An older one: a read of the last would make the host wait for every step.
        if len(metrics) % STEPS_BETWEEN_LOOKS == 0 and not isfinite(metrics[-STEPS_BETWEEN_LOOKS]["loss"]):
            break
    losses = np.array([float(of_step["loss"]) for of_step in metrics])
    if not np.isfinite(losses).all():
        step = first_step + int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
        raise TrainingError(
            f"the loss is not finite in epoch {epoch}, step {step}: lower {task.key}.learning_rate"
        )
    n_correct = sum(float(of_step["correct"]) for of_step in metrics)
    full = {**frozen, **state.params}
    if found := find_collapse(task.graphdef, task.weights, task.start, full, masks, validation):
        raise TrainingError(
            f"{found}, in epoch {epoch}, step {first_step + len(metrics)} (train_loss {losses.mean():.4g}): lower "
            f"{task.key}.learning_rate or prune.rate"
        )
    loss, accuracy = evaluate(task.graphdef, task.weights, task.start, full, masks, validation)
    progress.epoch, progress.state = epoch, state
    if accuracy > progress.best_accuracy:
        progress.best, progress.best_epoch, progress.best_accuracy = _to_host(state.params), epoch, accuracy
    last_step = epoch * optimizer.steps_per_epoch
    row = {
        "epoch": epoch,
        "step": last_step,
        "train_loss": float(losses.mean()),
        "train_accuracy": n_correct / (len(losses) * batch_size),
        "validation_loss": loss,
        "validation_accuracy": accuracy,
        "learning_rate": float(optimizer.learning_rate(jnp.int32(last_step - 1))),
    }
    progress.history.append(row)
    return row


def _save(checkpoints: Checkpoints, progress: _Progress, run: dict) -> None:
    leaves = jax.tree.leaves(progress.state)
    arrays = {"state": {str(i): leaf for i, leaf in enumerate(leaves)}, "best": progress.best}
    if progress.kept:
        arrays["kept"] = {str(epoch): params for epoch, params in progress.kept.items()}
    info = {
        "run": run,
        "epoch": progress.epoch,
        "best_epoch": progress.best_epoch,
        "best_accuracy": progress.best_accuracy,
        "history": progress.history,
    }
    checkpoints.save(progress.epoch, arrays, info)


def _restore(checkpoints: Checkpoints, progress: _Progress, run: dict) -> None:
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
    progress.kept = {int(epoch): params for epoch, params in arrays.get("kept", {}).items()}
    progress.epoch, progress.history = info["epoch"], info["history"]
    progress.best_epoch, progress.best_accuracy = info["best_epoch"], info["best_accuracy"]
