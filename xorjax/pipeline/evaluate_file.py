"""A compressed file's metric, from the file alone: the metadata names the model, the dataset and the task."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from xorjax.artifacts.provenance import device
from xorjax.config.schema import Config
from xorjax.container import CompressedModel
from xorjax.data.config import DataConfig
from xorjax.errors import UserError
from xorjax.merge import merge
from xorjax.models.compressed import coded_model
from xorjax.settings import problems
from xorjax.tasks.task import TASKS, Task
from xorjax.train.predict import predict, score


class MetadataError(UserError, ValueError):
    """A file that does not say what can be evaluated."""


def metadata_of(config: Config) -> dict[str, str]:
    """What a file of the suite says of itself, for `evaluate_model`."""
    task = config.task
    return {
        "model": config.model.name,
        "dataset": config.data.name,
        "task": task.id,
        "task_settings": json.dumps(asdict(task), sort_keys=True),
    }


def evaluate_model(compressed: CompressedModel, data_dir: str, cache_dir: str) -> dict[str, Any]:
    """The metric on the whole test split of a model that decodes its coded weights in the forward pass.

    Raises:
        MetadataError: the metadata lacks the model or the dataset, or names what is not there.
        FileModelError: the file's parameters are not the model's.
        DataError: the dataset is not in `data_dir`.
        SetupError: JAX finds no device.
    """
    device()
    metadata = compressed.metadata
    for key in ("model", "dataset"):
        if key not in metadata:
            raise MetadataError(
                f"metadata: {key!r} is missing; only a file of the suite's own models can be evaluated"
            )
    name, dataset = metadata["model"], metadata["dataset"]
    try:
        task = _task(metadata)
        if dataset not in task.datasets:
            raise ValueError(f"{dataset!r} is no data set of {task.id}: {', '.join(task.datasets)}")
        # Before the model, which takes longer: data that are not there are told at once.
        test = task.load(DataConfig(name=dataset, dir=data_dir, cache_dir=cache_dir)).test
        model = coded_model(name, compressed, task.datasets[dataset])
    except UserError:
        raise
    except (ValueError, TypeError) as error:
        raise MetadataError(f"metadata: {error}") from error
    measured = score(task, predict(task, model, test), test)
    accuracy = {"test_accuracy": measured} if task.metric.name == "accuracy" else {}
    return accuracy | {
        "model": name,
        "dataset": dataset,
        "task": task.id,
        "metric": asdict(task.metric),
        "test_metric": measured,
        "n_test": test.size,
    }


def _task(metadata: Mapping[str, str]) -> Task:
    """The task that a file was made for: images, where it says nothing, as files of 0.1 do."""
    cls, given = TASKS.find(metadata.get("task", "images")), json.loads(metadata.get("task_settings", "{}"))
    found: list[str] = []
    task = merge(cls(), given, found, lambda name, _: f"the task {cls.id} has no setting {name!r}")
    for problem in (*found, *problems(task)):
        raise ValueError(f"task_settings: {problem}")
    return task
