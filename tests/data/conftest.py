"""A dataset of 70 random images under MNIST's name, so that all of TFDS's way is walked in a second."""

import gzip
import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest

from xorjax.data import catalogue


def idx_bytes(array: np.ndarray) -> bytes:
    """The idx format written by its definition."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def small(monkeypatch):
    """60 training and 10 test examples by idx file name; the catalogue is told to expect them."""
    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte": rng.integers(0, 256, (60, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": rng.integers(0, 10, 60, dtype=np.uint8),
        "t10k-images-idx3-ubyte": rng.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": rng.integers(0, 10, 10, dtype=np.uint8),
    }
    for name, array in arrays.items():
        monkeypatch.setitem(catalogue.IDX_SHAPES, name, array.shape)
    for split, expression, size in (
        ("train", "train[:50]", 50),
        ("validation", "train[50:]", 10),
        ("test", "test", 10),
    ):
        monkeypatch.setitem(catalogue.SPLITS, split, expression)
        monkeypatch.setitem(catalogue.SIZES, split, size)
    md5 = {name: hashlib.md5(idx_bytes(array)).hexdigest() for name, array in arrays.items()}
    for name in catalogue.DATASETS:
        monkeypatch.setitem(catalogue.DATASETS, name, replace(catalogue.DATASETS[name], md5=md5))
    return arrays


@pytest.fixture
def data_dir(small, tmp_path):
    """A data directory as the project has one: mnist/ with four gzipped idx files."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, array in small.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return folder.parent
