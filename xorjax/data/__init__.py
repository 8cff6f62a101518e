"""Datasets from published files or a TFDS directory, and batches of them in memory."""

from xorjax.data.batches import (
    Batch,
    Dataset,
    Split,
    eval_batches,
    permutation,
    steps_per_epoch,
    train_batches,
)
from xorjax.data.catalogue import DATASETS, DataError, MissingData
from xorjax.data.sources import load_data

__all__ = [
    "DATASETS",
    "Batch",
    "DataError",
    "Dataset",
    "MissingData",
    "Split",
    "eval_batches",
    "load_data",
    "permutation",
    "steps_per_epoch",
    "train_batches",
]
