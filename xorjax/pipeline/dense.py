"""Stage 1: train the full-precision model."""

from xorjax import paths
from xorjax.artifacts.artifact import save_arrays
from xorjax.pipeline.build import Build, join
from xorjax.pipeline.training import dataset, measured, new_model
from xorjax.train.loop import train
from xorjax.train.step import Forward, Recipe

READS = ("data", "model", "task", "optim", "seed", "prune.keep_epoch")
NEEDS = ()


def dense(build: Build) -> dict:
    """The arrays of the best validation epoch, and those of the epoch to rewind to if one is asked for."""
    config = build.config
    data = dataset(config.task, config.data)
    network, params, state = new_model(config)
    recipe = Recipe(Forward(config.task, network), config.optim, config.seed)
    keep = () if config.prune.keep_epoch is None else (config.prune.keep_epoch,)
    result = train(
        recipe,
        params,
        state,
        dict.fromkeys(params),
        data.train,
        data.validation,
        build.work,
        keep_epochs=keep,
        on_epoch=build.on_epoch,
    )
    save_arrays(build.work / paths.ARRAYS, join(params=result.params, state=result.state))
    for epoch, kept in result.kept.items():
        save_arrays(build.work / paths.kept_arrays(epoch), join(**kept._asdict()))
    return measured(recipe, result, data.test)
