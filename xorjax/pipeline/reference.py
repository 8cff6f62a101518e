"""Beside stage 3: the dense model given the same treatment, what the loss of compression is measured against.

A compressed model was trained on after dense training: at each level of pruning, and with binary weights. A dense model
without that is no fair reference, since more training alone makes it better. So the same dense model has the same
trainings (frozen layers, augmentation, epochs, optimizers, learning rates from their start at each level) with all its
weights and as floats: `unpruned` those of the levels, this stage that of quantization. A round of an approximate mask
counts as a level, though with `mask.search=rounds` each starts from the pruned weights again: there the reference
trains longer than what it is compared with. Points of several prune rates share the trainings as pruning does. With
the strategy `rewind_lr` each training repeats the dense learning rates as a level does; with `rewind` a level's
training without pruning is one and the same at all levels, and made once.
"""

from xorjax import paths
from xorjax.artifacts.artifact import save_arrays
from xorjax.pipeline.build import Build, join
from xorjax.pipeline.training import UPSTREAM_NEEDS, UPSTREAM_READS, Upstream, measured
from xorjax.train.loop import train
from xorjax.train.step import plain

READS = (*UPSTREAM_READS, "quantize.optim")
NEEDS = UPSTREAM_NEEDS


def reference(build: Build) -> dict:
    """The arrays of the best validation epoch of a training by `quantize.optim` that quantizes nothing."""
    upstream = Upstream.load(build)
    inputs = upstream.inputs
    recipe = upstream.recipe(build.config, plain, "quantize.optim")
    result = train(
        recipe,
        upstream.params,
        upstream.state,
        dict.fromkeys(upstream.params),
        inputs.train,
        inputs.validation,
        build.work,
        on_epoch=build.on_epoch,
    )
    save_arrays(build.work / paths.ARRAYS, join(params=result.params, state=result.state))
    return measured(recipe, result, inputs.test)
