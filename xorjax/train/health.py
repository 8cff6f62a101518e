"""Is a training still alive? A layer that has collapsed will not come back: better to stop at once and say where."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Shaped

from xorjax.data.batches import Split
from xorjax.models import merge
from xorjax.params import Masks, Params
from xorjax.train.step import Weights, scale_inputs

N_IMAGES = 256
"""On so many a layer's output is looked at."""


def find_collapse(
    graphdef: nnx.GraphDef, weights: Weights, start: int, params: Params, masks: Masks, split: Split
) -> str | None:
    """What is wrong with the first layer that has collapsed, or None if none has.

    A layer has if one of its weights is not finite, if all weights that its mask keeps are 0, or if it gives the same
    for every image. Blocks before number `start` are not run: the split's inputs are their outputs.
    """
    formed = weights(params, masks)
    for path, mask in masks.items():
        values = np.asarray(formed[path])
        if not np.isfinite(values).all():
            return f"{path} has weights that are not finite"
        if mask is not None and not values.any():
            return f"{path} has collapsed: all its kept weights are 0"
    x = jnp.asarray(split.inputs[:N_IMAGES])
    blocks: tuple[str, ...] = vars(type(merge(graphdef, formed)))["blocks"]
    for index in range(start, len(blocks)):
        x, spread = _run_block(graphdef, formed, index, x)
        if len(x) > 1 and spread == 0:
            return f"{blocks[index]} has collapsed: its output is the same for every image"
    return None


@partial(jax.jit, static_argnames=("graphdef", "index"))
def _run_block(
    graphdef: nnx.GraphDef, formed: Params, index: int, x: Shaped[Array, "images ..."]
) -> tuple[Float[Array, "images ..."], Float[Array, ""]]:
    y = merge(graphdef, formed)(scale_inputs(x), start=index, stop=index + 1)
    return y, jnp.max(jnp.max(y, axis=0) - jnp.min(y, axis=0))
