"""Stage 1: train the full-precision model."""

from pathlib import Path

from xorjax import paths
from xorjax.models import create_model, merge
from xorjax.pipeline.arrays import join
from xorjax.pipeline.artifact import Artifact, make, save_arrays
from xorjax.pipeline.inputs import dataset
from xorjax.pipeline.plan import Plan
from xorjax.pipeline.progress import Progress
from xorjax.train.loop import Task, train
from xorjax.train.predict import accuracy, predict
from xorjax.train.step import plain


def dense(plan: Plan, runs: Path, progress: Progress) -> Artifact:
    """The parameters of the best validation epoch, and those of the epoch to rewind to if one is asked for."""
    config = plan.config

    def build(work: Path) -> dict:
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
            work,
            keep_epochs=keep,
            on_epoch=progress.epoch,
        )
        save_arrays(work / paths.ARRAYS, join(params=result.params))
        for epoch, kept in result.kept.items():
            save_arrays(work / paths.kept_arrays(epoch), join(params=kept))
        logits = predict(merge(graphdef, result.params), data.test.inputs)
        return {
            "best_epoch": result.best_epoch,
            "validation_accuracy": result.validation_accuracy,
            "test_accuracy": accuracy(logits, data.test.labels),
            "n_test": data.test.size,
        }

    with progress.stage(plan.dense):
        return make(runs, plan.dense, build)
