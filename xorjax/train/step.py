"""One step of training and one of evaluation, as jitted free functions over (forward pass, arrays, batch).

Everything static - the task, the model's graph, how weights are formed from parameters and masks, the first block to
run, the optimizer - is hashable by value, so equal settings share one compilation within a process.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, Int32, PRNGKeyArray, Shaped

from xorjax.config.schema import OptimConfig
from xorjax.models.registry import Network, merge, run, state_of
from xorjax.params import Masks, Params, State
from xorjax.tasks.task import Batch, Task, digest
from xorjax.train.optimizer import Optimizer

Form = Callable[[Params, Masks], Params]
"""Parameters and masks to the weights that the forward pass uses."""


def plain(params: Params, masks: Masks) -> Params:
    """The weights are the parameters."""
    return params


@dataclass(frozen=True)
class Forward:
    """A forward pass without its arrays. Blocks before number `start` are not run: the inputs are their features.

    Weights that a mask removes do not move; all do where `all_move`, by the gradients that `form` gives them.
    """

    task: Task
    network: Network
    form: Form = plain
    start: int = 0
    all_move: bool = False

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Kept: every call of a jitted step asks for it, and a graph takes as long to hash as a small step to run.
        return hash((self.task, self.network, self.form, self.start, self.all_move))

    def at(self, share: Float[Array, ""]) -> "Forward":
        """As it is in a step, when that share of the training is over; forms that change have such a method."""
        return replace(self, form=self.form.at(share)) if hasattr(self.form, "at") else self

    def run(
        self, module: nnx.Module, inputs: Shaped[Array, "batch ..."], stop: int | None = None
    ) -> Float[Array, "batch ..."]:
        """The outputs of blocks `start` to `stop`.

        They are computed before anything reads them: XLA on a CPU else fuses parts of the readers with what they read,
        and the step of a language model, whose losses and sums both read its logits, takes longer. On a GPU this was
        not measured.
        """
        outputs = run(module, inputs if self.start else self.task.transform(inputs), self.start, stop)
        return jax.lax.optimization_barrier(outputs)


@dataclass(frozen=True)
class Recipe:
    """How to train a model: layers of `frozen` stay as they are.

    `key` is the setting that `optim` comes from, for messages. `teacher` is whom `optim.distill` follows: parameters
    and state of the same network.
    """

    forward: Forward
    optim: OptimConfig
    seed: int
    frozen: frozenset[str] = frozenset()
    key: str = "optim"
    teacher: tuple[Params, State] | None = None

    @property
    def task(self) -> Task:
        return self.forward.task


class TrainState(NamedTuple):
    """What a step changes. `step` counts from the start of the schedule, not of this run."""

    params: Params
    state: State
    opt_state: optax.OptState
    step: Int32[Array, ""]


TEACHER = "teacher/"
"""Before the names of the teacher's memory."""


def memory_of(recipe: Recipe) -> State:
    """The memory of the model, and of its teacher, that an epoch begins with; it goes along with the state."""
    memory = recipe.forward.network.memory(recipe.optim.batch_size)
    taught = {} if recipe.teacher is None else {TEACHER + path: value for path, value in memory.items()}
    # Copies, since a step donates its state.
    return {path: jnp.array(value, copy=True) for path, value in {**memory, **taught}.items()}


def mask_updates(updates: Params, masks: Masks) -> Params:
    """Set the updates of pruned weights to 0, so that these never move."""
    masked = {}
    for key, update in updates.items():
        mask = masks.get(key)
        masked[key] = update if mask is None else jnp.where(mask, update, 0.0)
    return masked


@partial(jax.jit, static_argnames=("forward", "optimizer"), donate_argnames=("state",))
def train_step(
    forward: Forward,
    optimizer: Optimizer,
    state: TrainState,
    frozen: tuple[Params, State],
    masks: Masks,
    key: PRNGKeyArray,
    batch: Batch,
    teacher: tuple[Params, State] | None = None,
) -> tuple[TrainState, dict[str, Any]]:
    """One update of `state` on a batch; `state` is donated.

    The weights of the forward pass are `forward.form({**frozen, **params}, masks)`; random keys are those of `key` and
    the step. The metrics are "loss" (mean of the batch, smoothing included) and "sums", what the task measures.
    """
    frozen_params, frozen_state = frozen
    forward = forward.at(state.step / optimizer.n_steps)
    targets, valid = jnp.asarray(batch.targets), jnp.asarray(batch.valid)

    def loss_of(params: Params):
        formed = forward.form({**frozen_params, **params}, masks)
        of_step = jax.random.fold_in(key, state.step)
        module = merge(forward.network, formed, {**frozen_state, **state.state}, of_step)
        outputs = forward.run(module, jnp.asarray(batch.inputs))
        losses = forward.task.losses(outputs, targets, optimizer.config.label_smoothing)
        taught_state: State = {}
        if teacher is not None and (share := optimizer.config.distill):
            remembered = {path: state.state[TEACHER + path] for path in forward.network.memory(1)}
            knowing = merge(forward.network, teacher[0], {**teacher[1], **remembered})
            taught = forward.run(knowing, jnp.asarray(batch.inputs))
            taught_state = {
                TEACHER + path: value for path, value in state_of(forward.network, knowing).items()
            }
            losses = (1 - share) * losses + share * distilled(outputs, taught, optimizer.config.temperature)
        moved = {**state_of(forward.network, module), **taught_state}
        sums = forward.task.measure(digest(forward.task, outputs, targets), targets, valid)
        return jnp.sum(losses * valid) / jnp.sum(valid), (sums, {path: moved[path] for path in state.state})

    (loss, (sums, moved)), gradients = jax.value_and_grad(loss_of, has_aux=True)(state.params)
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params, state.step)
    params = jax.tree.map(
        jnp.add, state.params, updates if forward.all_move else mask_updates(updates, masks)
    )
    return TrainState(params, moved, opt_state, state.step + 1), {"loss": loss, "sums": sums}


def distilled(
    outputs: Float[Array, "batch ... classes"], taught: Float[Array, "batch ... classes"], temperature: float
) -> Float[Array, " batch"]:
    """Cross-entropy with the teacher's probabilities, both softened, times temperature^2 (Hinton et al. 2015)."""
    targets = jax.nn.softmax(jax.lax.stop_gradient(taught) / temperature)
    losses = -(targets * jax.nn.log_softmax(outputs / temperature)).sum(axis=-1)
    return temperature**2 * losses.reshape(len(losses), -1).mean(axis=1)


@partial(jax.jit, static_argnames=("forward",))
def eval_step(forward: Forward, params: Params, state: State, masks: Masks, batch: Batch) -> dict[str, Any]:
    """Sums over a batch's valid examples: "loss" (never smoothed), "n", and "sums", what the task measures; and the
    "memory" for the next batch.
    """
    module = merge(forward.network, forward.form(params, masks), state)
    targets, valid = jnp.asarray(batch.targets), jnp.asarray(batch.valid)
    outputs = forward.run(module, jnp.asarray(batch.inputs))
    losses = forward.task.losses(outputs, targets, 0.0)
    sums = forward.task.measure(digest(forward.task, outputs, targets), targets, valid)
    moved = state_of(forward.network, module)
    memory = {path: moved[path] for path in forward.network.memory(1)}
    return {"loss": jnp.sum(losses * valid), "n": jnp.sum(valid), "sums": sums, "memory": memory}
