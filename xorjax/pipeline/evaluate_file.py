"""A compressed file's accuracy, from the file alone: the metadata names the model and the dataset."""

from typing import Any

from xorjax.config.schema import DataConfig
from xorjax.container import CompressedModel
from xorjax.data import load_data
from xorjax.models.compressed import FileModelError, coded_model
from xorjax.models.registry import MODELS
from xorjax.settings import nearest, one_of
from xorjax.train.predict import predict


def evaluate_model(compressed: CompressedModel, data_dir: str, cache_dir: str) -> dict[str, Any]:
    """Accuracy on the whole test split of a model that decodes its compressed layers in the forward pass.

    Raises:
        FileModelError: the metadata lacks the model or the dataset, or the parameters are not the model's.
        DataError: the dataset is unknown or not in `data_dir`.
    """
    for key in ("model", "dataset"):
        if key not in compressed.metadata:
            raise FileModelError(
                f"metadata: {key!r} is missing; only a file of the suite's own models can be evaluated"
            )
    name, dataset = compressed.metadata["model"], compressed.metadata["dataset"]
    if name not in MODELS:
        raise FileModelError(
            f"metadata: there is no model {name!r}; it must be {one_of(list(MODELS))}; the nearest is "
            f"{nearest(name, list(MODELS))}"
        )
    model = coded_model(name, compressed)
    test = load_data(DataConfig(name=dataset, dir=data_dir, cache_dir=cache_dir)).test
    n_correct = int((predict(model, test.inputs).argmax(1) == test.labels).sum())
    return {
        "model": name,
        "dataset": dataset,
        "n_test": test.size,
        "n_correct": n_correct,
        "test_accuracy": n_correct / test.size,
    }
