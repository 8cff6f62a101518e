"""Beside stage 2: what a level of pruning trains, of a model that is not pruned. It leads to `reference`."""

from xorjax import paths
from xorjax.artifacts.artifact import save_arrays
from xorjax.pipeline.build import Build, join
from xorjax.pipeline.prune import RETRAIN_READS, retrain
from xorjax.pipeline.training import UPSTREAM_NEEDS, UPSTREAM_READS, Upstream, measured

READS = (*UPSTREAM_READS, *RETRAIN_READS)
NEEDS = UPSTREAM_NEEDS


def unpruned(build: Build) -> dict:
    """The training of one level, or of one round of an approximate mask, with all weights kept."""
    upstream = Upstream.load(build)
    recipe, result = retrain(build, upstream, dict.fromkeys(upstream.params))
    save_arrays(build.work / paths.ARRAYS, join(params=result.params, state=result.state))
    return measured(recipe, result, upstream.inputs.test)
