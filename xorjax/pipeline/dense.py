"""Stage 1: train the full-precision model."""

from xorjax import paths
from xorjax.artifacts.artifact import save_arrays
from xorjax.models import create_model, merge
from xorjax.pipeline.arrays import join
from xorjax.pipeline.build import Build
from xorjax.pipeline.inputs import dataset
from xorjax.train.loop import Task, train
from xorjax.train.predict import accuracy, predict
from xorjax.train.step import plain


def dense(build: Build) -> dict:
    """The parameters of the best validation epoch, and those of the epoch to rewind to if one is asked for."""
    config = build.config
    data = dataset(config.data)
    graphdef, params = create_model(config.model.name, config.seed)
    task = Task(graphdef, plain, config.optim, config.seed)
    keep = (config.prune.rewind_epoch,) if config.prune.strategy == "rewind" else ()
    result = train(
        task,
        params,
        dict.fromkeys(params),
        data.train,
        data.validation,
        build.work,
        keep_epochs=keep,
        on_epoch=build.on_epoch,
    )
    save_arrays(build.work / paths.ARRAYS, join(params=result.params))
    for epoch, kept in result.kept.items():
        save_arrays(build.work / paths.kept_arrays(epoch), join(params=kept))
    logits = predict(merge(graphdef, result.params), data.test.inputs)
    return {
        "best_epoch": result.best_epoch,
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": accuracy(logits, data.test.labels),
        "n_test": data.test.size,
    }
