"""The epoch loop: train, validate, keep the best epoch, write a checkpoint, go on.

A kill at any moment costs at most the epoch under way: the same call finds the newest checkpoint and continues
to the same result bit for bit, since the batches and the random keys of an epoch depend on (seed, epoch) only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from xorjax.errors import UserError, about
from xorjax.params import Masks, Params, State, is_within
from xorjax.program import keep_freed_memory
from xorjax.tasks.task import Split
from xorjax.train.checkpoint import Checkpoints
from xorjax.train.health import find_collapse
from xorjax.train.metrics import FILE_NAME, append_metrics, write_metrics
from xorjax.train.optimizer import Optimizer
from xorjax.train.predict import BATCH_SIZE, totals
from xorjax.train.resume import Host, Progress, identity, restore, save
from xorjax.train.step import Forward, Recipe, TrainState, eval_step, memory_of, train_step

STEPS_BETWEEN_LOOKS = 50
"""The loss is looked at so often: once it is not finite it stays so."""

Choose = Callable[[Params], Masks]
"""Masks anew, from parameters."""


class TrainingError(UserError, ValueError):
    """Training cannot go on."""


class Trained(NamedTuple):
    """A model's arrays after some epoch, those of frozen layers included."""

    params: Params
    state: State


@dataclass(frozen=True)
class TrainResult:
    """`params` and `state` are those of the best epoch by the validation metric, the earliest among equals."""

    params: Params
    state: State
    best_epoch: int
    validation_metric: float
    kept: dict[int, Trained]
    history: list[dict]


def train(
    recipe: Recipe,
    params: Params,
    state: State,
    masks: Masks,
    train: Split,
    validation: Split,
    work_dir: Path,
    *,
    first_epoch: int = 0,
    keep_epochs: tuple[int, ...] = (),
    on_epoch: Callable[[dict], None] = lambda row: None,
    choose: Choose | None = None,
    choices: int = 1,
) -> TrainResult:
    """Train `params` from epoch `first_epoch` to `recipe.optim.epochs`; resume what `work_dir` holds of it.

    `keep_epochs` are the epochs after which the arrays are kept as well (`first_epoch`: the initial ones).
    All arrays returned are full: those of frozen layers included. `on_epoch` is called with each new line of
    `work_dir/metrics.jsonl` once its checkpoint is written, and with those that it resumes from. A checkpoint that is
    damaged or another run's is dropped, with a line on standard error.

    `choose` gives masks that take the place of `masks`, from the parameters as they are: at most `choices` times an
    epoch, first at its beginning.

    Raises:
        TrainingError: the loss is not finite, or a layer has collapsed, with the epoch and the step; or the training
            split is smaller than a batch.
        ValueError: nothing to train.
    """
    last_epoch = recipe.optim.epochs
    if not 0 <= first_epoch < last_epoch:
        raise ValueError(
            f"first_epoch is {first_epoch}, expected at least 0 and below optim.epochs {last_epoch}."
        )
    if outside := [epoch for epoch in keep_epochs if not first_epoch <= epoch <= last_epoch]:
        raise ValueError(f"keep_epochs {outside} lie outside the run's epochs {first_epoch} to {last_epoch}.")
    keep_freed_memory()
    with about("batch_size", TrainingError):
        steps_per_epoch = recipe.task.steps_per_epoch(train, recipe.optim.batch_size)
    optimizer = Optimizer(recipe.optim, steps_per_epoch)
    (frozen_params, moving), (frozen_state, moving_state) = (
        _parted(arrays, recipe.frozen) for arrays in (params, state)
    )
    frozen = (frozen_params, frozen_state)
    step = jnp.int32(first_epoch * steps_per_epoch)
    start = TrainState(moving, moving_state, optimizer.init(moving), step)
    host = _to_host(start)
    kept = {first_epoch: host} if first_epoch in keep_epochs else {}
    progress = Progress(first_epoch, start, host, kept=kept)
    run = identity(recipe, {**params, **state}, masks, first_epoch, keep_epochs, train.size)
    work_dir.mkdir(parents=True, exist_ok=True)
    with Checkpoints(work_dir / "checkpoints") as checkpoints:
        restore(checkpoints, progress, run)
        write_metrics(work_dir / FILE_NAME, progress.history)
        for row in progress.history:
            on_epoch(row)
        while progress.epoch < last_epoch:
            row = _run_epoch(recipe, optimizer, progress, frozen, masks, train, validation, choose, choices)
            if progress.epoch in keep_epochs:
                progress.kept[progress.epoch] = _to_host(progress.state)
            save(checkpoints, progress, run)
            append_metrics(work_dir / FILE_NAME, row)
            on_epoch(row)

    def full(host: Host) -> Trained:
        return Trained(
            *(
                {path: jnp.asarray(host[path]) if path in host else arrays[path] for path in arrays}
                for arrays in (params, state)
            )
        )

    return TrainResult(
        *full(progress.best),
        progress.best_epoch,
        progress.best_metric,
        {epoch: full(host) for epoch, host in progress.kept.items()},
        progress.history,
    )


def _parted(arrays: Params, layers: frozenset[str]) -> tuple[Params, Params]:
    """Those within the layers, and copies of the others: a step donates its state, the caller keeps its arrays."""
    still = {path: value for path, value in arrays.items() if is_within(path, layers)}
    return still, {path: jnp.array(value, copy=True) for path, value in arrays.items() if path not in still}


def evaluate(
    forward: Forward, params: Params, state: State, masks: Masks, split: Split
) -> tuple[float, float]:
    """Mean loss and metric over a whole split."""
    batches = forward.task.eval_batches(split, min(BATCH_SIZE, split.size))
    steps, memory = [], {}
    for batch in batches:
        memory = memory or forward.network.memory(len(batch.targets))
        steps.append(eval_step(forward, params, {**state, **memory}, masks, batch))
        memory = steps[-1].pop("memory")
    loss, n = (sum(float(of_batch[key]) for of_batch in steps) for key in ("loss", "n"))
    return loss / n, forward.task.score(totals([of_batch["sums"] for of_batch in steps]))


def _to_host(state: TrainState) -> Host:
    # Copies: on CPU a plain conversion is a view, which keeps the next step from reusing the buffer.
    return {path: np.array(value, copy=True) for path, value in {**state.params, **state.state}.items()}


def _run_epoch(
    recipe: Recipe,
    optimizer: Optimizer,
    progress: Progress,
    frozen: tuple[Params, State],
    masks: Masks,
    train: Split,
    validation: Split,
    choose: Choose | None,
    choices: int,
) -> dict:
    """Train one epoch, validate, and note both in `progress`; returns the line for the metrics."""
    epoch, task = progress.epoch + 1, recipe.task
    first_step = progress.epoch * optimizer.steps_per_epoch
    memory = memory_of(recipe)
    state, metrics = progress.state._replace(state={**progress.state.state, **memory}), []
    key = jax.random.key(recipe.seed)
    every = -(-optimizer.steps_per_epoch // choices)
    for batch in task.train_batches(train, recipe.optim.batch_size, recipe.seed, progress.epoch):
        if choose is not None and len(metrics) % every == 0:
            masks = choose({**frozen[0], **state.params})
        state, of_step = train_step(
            recipe.forward, optimizer, state, frozen, masks, key, batch, recipe.teacher
        )
        metrics.append(of_step)
        # Check an older loss: reading the newest would block on every step.
        if len(metrics) % STEPS_BETWEEN_LOOKS == 0 and not isfinite(metrics[-STEPS_BETWEEN_LOOKS]["loss"]):
            break
    state = state._replace(state={path: state.state[path] for path in state.state.keys() - memory.keys()})
    losses = np.array([float(of_step["loss"]) for of_step in metrics])
    if not np.isfinite(losses).all():
        step = first_step + int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
        raise TrainingError(
            f"the loss is not finite in epoch {epoch}, step {step}: lower {recipe.key}.learning_rate"
        )
    params, model_state = {**frozen[0], **state.params}, {**frozen[1], **state.state}
    if found := find_collapse(recipe.forward, params, model_state, masks, validation):
        raise TrainingError(
            f"{found}, in epoch {epoch}, step {first_step + len(metrics)} (train_loss {losses.mean():.4g}): lower "
            f"{recipe.key}.learning_rate or prune.rate"
        )
    loss, metric = evaluate(recipe.forward, params, model_state, masks, validation)
    progress.epoch, progress.state = epoch, state
    if progress.best_epoch == 0 or task.metric.is_better(metric, progress.best_metric):
        progress.best, progress.best_epoch, progress.best_metric = _to_host(state), epoch, metric
    last_step = epoch * optimizer.steps_per_epoch
    row = {
        "epoch": epoch,
        "step": last_step,
        "train_loss": float(losses.mean()),
        "train_metric": task.score(totals([of_step["sums"] for of_step in metrics])),
        "validation_loss": loss,
        "validation_metric": metric,
        "learning_rate": float(optimizer.learning_rate(jnp.int32(last_step - 1))),
        "metric": task.metric.name,
    }
    progress.history.append(row)
    return row
