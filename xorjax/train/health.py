"""Is a training still alive? A layer that has collapsed will not come back: better to stop at once and say where."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from xorjax.models.registry import blocks_of, merge
from xorjax.params import Masks, Params, State
from xorjax.tasks.task import Split
from xorjax.train.step import Forward

N_EXAMPLES = 256
"""On so many a layer's output is looked at, or on as many as a task evaluates at once."""


def find_collapse(forward: Forward, params: Params, state: State, masks: Masks, split: Split) -> str | None:
    """What is wrong with the first layer that has collapsed, or None if none has.

    A layer has if one of its weights is not finite, if all weights that its mask keeps are 0, or if it gives the same
    for every example. The outputs of blocks are looked at one by one from `forward.start` on, those of a model without
    blocks as a whole.
    """
    formed = forward.form(params, masks)
    for path, mask in masks.items():
        values = np.asarray(formed[path])
        if not np.isfinite(values).all():
            return f"{path} has weights that are not finite"
        if mask is not None and not values.any():
            return f"{path} has collapsed: all its kept weights are 0"
    batch = next(iter(forward.task.eval_batches(split, N_EXAMPLES)))
    x = jnp.asarray(batch.inputs[batch.valid > 0])
    blocks = blocks_of(merge(forward.network, formed, state))
    parts = [(name, i, i + 1) for i, name in enumerate(blocks)][forward.start :] or [("the model", 0, None)]
    for name, start, stop in parts:
        x, spread = _run(replace(forward, start=start), stop, formed, state, x)
        if len(x) > 1 and spread == 0:
            return f"{name} has collapsed: its output is the same for every example"
    return None


@partial(jax.jit, static_argnames=("forward", "stop"))
def _run(
    forward: Forward, stop: int | None, formed: Params, state: State, x: Shaped[Array, "examples ..."]
) -> tuple[Float[Array, "examples ..."], Float[Array, ""]]:
    y = forward.run(merge(forward.network, formed, state), x, stop)
    return y, jnp.max(jnp.max(y, axis=0) - jnp.min(y, axis=0))
