"""Running a model over a whole split: logits, accuracy, and the features a frozen prefix computes."""

from functools import partial

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Float32, Int32, Shaped

from xorjax.data.batches import Split, eval_batches
from xorjax.models import merge
from xorjax.params import Params
from xorjax.train.step import scale_inputs
from xorjax.weights import form


@partial(jax.jit, static_argnames=("graphdef", "start", "stop"))
def _run(
    graphdef: nnx.GraphDef, state: nnx.State, start: int, stop: int | None, inputs: Shaped[Array, "batch ..."]
) -> Float[Array, "batch ..."]:
    return nnx.merge(graphdef, form(state))(scale_inputs(inputs), start=start, stop=stop)


def run_blocks(
    model: nnx.Module,
    inputs: Shaped[np.ndarray, "n ..."],
    start: int = 0,
    stop: int | None = None,
    batch_size: int = 1000,
) -> Float32[np.ndarray, "n ..."]:
    """The outputs of `model.blocks[start:stop]` for all inputs (uint8 images or float32 features)."""
    graphdef, state = nnx.split(model)
    split = Split(inputs, np.zeros(len(inputs), np.int32))
    outputs = [
        np.asarray(_run(graphdef, state, start, stop, batch.inputs))
        for batch in eval_batches(split, min(batch_size, split.size))
    ]
    return np.concatenate(outputs)[: len(inputs)]


def predict(
    model: nnx.Module, inputs: Shaped[np.ndarray, "n ..."], start: int = 0, batch_size: int = 1000
) -> Float32[np.ndarray, "n classes"]:
    """The logits of `model`, whose parameters may be coded weights, from block `start` on."""
    return run_blocks(model, inputs, start, None, batch_size)


def accuracy(logits: Float32[np.ndarray, "n classes"], labels: Int32[np.ndarray, " n"]) -> float:
    """The share of examples whose largest logit is at their label."""
    return float(np.mean(logits.argmax(axis=1) == labels))


def features(
    graphdef: nnx.GraphDef, params: Params, split: Split, stop: int, batch_size: int = 1000
) -> Split:
    """`split` with its images replaced by the outputs of the first `stop` blocks: the inputs of block `stop`."""
    return Split(run_blocks(merge(graphdef, params), split.inputs, 0, stop, batch_size), split.labels)
