"""Running a model over a whole split: outputs, the metric, and the features a frozen prefix computes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Float32, Shaped

from xorjax.models.registry import Memory, Network, merge, run
from xorjax.params import Params, State
from xorjax.tasks.task import Split, Task, digest
from xorjax.weights import form

BATCH_SIZE = 1000
"""Of evaluation. The last batch is padded."""


@partial(jax.jit, static_argnames=("task", "graphdef", "start", "stop", "decode"))
def _run(
    task: Task,
    graphdef: nnx.GraphDef,
    arrays: nnx.State,
    start: int,
    stop: int | None,
    decode: bool,
    inputs: Shaped[Array, "batch ..."],
    targets: Shaped[Array, "batch ..."],
) -> tuple[Float[Array, "batch ..."], nnx.State]:
    """The outputs, digested if they are the whole model's, and its memory."""
    model = nnx.merge(graphdef, arrays)
    if decode or not getattr(model, "multiplies_codes", False):
        model = nnx.merge(graphdef, form(arrays))
    outputs = run(model, inputs if start else task.transform(inputs), start, stop)
    return outputs if stop else digest(task, outputs, targets), nnx.state(model, Memory)


def predict(
    task: Task,
    model: nnx.Module,
    split: Split,
    start: int = 0,
    stop: int | None = None,
    batch_size: int = BATCH_SIZE,
    decode: bool = False,
) -> Float32[np.ndarray, "n ..."]:
    """The outputs of `model`, such as logits, or what the task keeps of them (`digest`); its weights may be coded.

    With `start` or `stop`, those of `model.blocks[start:stop]`. The inputs are features if `start` is not 0.
    With `decode` coded weights are decoded before every product, also where a model multiplies by them faster as they
    are.
    """
    graphdef, arrays = nnx.split(model)
    outputs, memory = [], None
    for batch in task.eval_batches(split, min(batch_size, split.size)):
        if memory is None:
            memory = jax.tree.map(partial(_fresh, len(batch.targets)), nnx.state(model, Memory))
        held = nnx.merge_state(arrays, memory)
        of_batch, memory = _run(task, graphdef, held, start, stop, decode, batch.inputs, batch.targets)
        outputs.append(np.asarray(of_batch))
    return np.concatenate(outputs)[: len(split.targets)]


def _fresh(n: int, memory: Float32[Array, "..."]) -> Float32[Array, "n ..."]:
    return jnp.zeros((n, *memory.shape[1:]), jnp.float32)


def score(task: Task, outputs: Float32[np.ndarray, "n ..."], split: Split) -> float:
    """The task's metric for these outputs of a whole split."""
    batches = task.eval_batches(Split(outputs, split.targets), min(BATCH_SIZE, split.size))
    return task.score(totals([task.measure(*map(jnp.asarray, batch)) for batch in batches]))


def totals(sums: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What the task measures over all batches, from what it measures on each."""
    return {name: sum(float(of_batch[name]) for of_batch in sums) for name in sums[0]}


def features(
    task: Task,
    network: Network,
    params: Params,
    state: State,
    split: Split,
    stop: int,
    batch_size: int = BATCH_SIZE,
) -> Split:
    """`split` with its inputs replaced by the outputs of the first `stop` blocks: the inputs of block `stop`."""
    model = merge(network, params, state)
    return Split(predict(task, model, split, 0, stop, batch_size), split.targets)
