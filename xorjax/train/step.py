"""One step of training and one of evaluation, as jitted free functions over (graphdef, state, batch).

Everything static - the model's graph, the optimizer, how weights are formed from parameters and masks, the
first block to run - is hashable by value, so equal settings share one compilation within a process.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Float32, Int32, Shaped

from xorjax.data.batches import Batch
from xorjax.models import merge
from xorjax.params import Masks, Params
from xorjax.train.optimizer import Optimizer

Weights = Callable[[Params, Masks], Params]


class TrainState(NamedTuple):
    """What a step changes. `step` counts from the start of the schedule, not of this run."""

    params: Params
    opt_state: optax.OptState
    step: Int32[Array, ""]


def plain(params: Params, masks: Masks) -> Params:
    """The weights are the parameters."""
    return params


def scale_inputs(inputs: Shaped[Array, "batch ..."]) -> Float32[Array, "batch ..."]:
    """uint8 images to [0, 1]; float32 features as they are."""
    return inputs.astype(jnp.float32) / 255.0 if inputs.dtype == jnp.uint8 else inputs


def mask_updates(updates: Params, masks: Masks) -> Params:
    """Set the updates of pruned weights to 0, so that these never move."""
    masked = {}
    for key, update in updates.items():
        mask = masks.get(key)
        masked[key] = update if mask is None else jnp.where(mask, update, 0.0)
    return masked


def cross_entropy(
    logits: Float[Array, "batch classes"], labels: Int32[Array, " batch"], smoothing: float
) -> Float[Array, " batch"]:
    """Cross-entropy of each example against labels smoothed towards uniform by `smoothing`."""
    log_probabilities = jax.nn.log_softmax(logits)
    likelihood = jnp.take_along_axis(log_probabilities, labels[:, None], axis=1)[:, 0]
    return -(1.0 - smoothing) * likelihood - smoothing * log_probabilities.mean(axis=1)


def count_correct(logits: Float[Array, "batch classes"], batch: Batch) -> Float[Array, ""]:
    """How many valid examples have their largest logit at their label."""
    return jnp.sum(jnp.where(logits.argmax(axis=1) == batch.labels, batch.valid, 0.0))


@partial(jax.jit, static_argnames=("graphdef", "optimizer", "weights", "start"), donate_argnames=("state",))
def train_step(
    graphdef: nnx.GraphDef,
    optimizer: Optimizer,
    weights: Weights,
    start: int,
    state: TrainState,
    frozen: Params,
    masks: Masks,
    batch: Batch,
) -> tuple[TrainState, dict[str, Array]]:
    """One update of `state.params` on a batch; `state` is donated.

    The forward pass is `merge(graphdef, weights({**frozen, **params}, masks))` from block `start` on. The
    metrics are sums over the batch: "loss" (mean of the batch, smoothing included) and "correct".
    """

    def loss_of(params: Params):
        model = merge(graphdef, weights({**frozen, **params}, masks))
        logits = model(scale_inputs(jnp.asarray(batch.inputs)), start=start)
        losses = cross_entropy(logits, jnp.asarray(batch.labels), optimizer.config.label_smoothing)
        return jnp.sum(losses * batch.valid) / jnp.sum(batch.valid), count_correct(logits, batch)

    (loss, correct), gradients = jax.value_and_grad(loss_of, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params, state.step)
    params = jax.tree.map(jnp.add, state.params, mask_updates(updates, masks))
    return TrainState(params, opt_state, state.step + 1), {"loss": loss, "correct": correct}


@partial(jax.jit, static_argnames=("graphdef", "weights", "start"))
def eval_step(
    graphdef: nnx.GraphDef, weights: Weights, start: int, params: Params, masks: Masks, batch: Batch
) -> dict[str, Array]:
    """Sums over a batch's valid examples: "loss" (cross-entropy, never smoothed), "correct" and "n"."""
    model = merge(graphdef, weights(params, masks))
    logits = model(scale_inputs(jnp.asarray(batch.inputs)), start=start)
    losses = cross_entropy(logits, jnp.asarray(batch.labels), 0.0)
    n = jnp.sum(batch.valid)
    return {"loss": jnp.sum(losses * batch.valid), "correct": count_correct(logits, batch), "n": n}
