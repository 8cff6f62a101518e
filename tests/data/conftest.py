"""Datasets of 70 random images under the names of the true ones, so that all of TFDS's way is walked in a second."""

import gzip
import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest

from xorjax.data import DATASETS
from xorjax.data.catalogue import FileSpec


def idx_bytes(array: np.ndarray) -> bytes:
    """The idx format written by its definition."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def cifar_bytes(images: np.ndarray, labels: np.ndarray) -> bytes:
    """CIFAR's binary format by its definition: a byte for the label, then the red, green and blue pixels row by row."""
    return b"".join(
        bytes([label]) + b"".join(image[:, :, channel].tobytes() for channel in range(3))
        for image, label in zip(images, labels, strict=True)
    )


def file_spec(content: bytes, shape: tuple[int, ...]) -> FileSpec:
    return FileSpec(shape, hashlib.md5(content).hexdigest())


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
    files = {name: file_spec(idx_bytes(array), array.shape) for name, array in arrays.items()}
    sizes = {"train": 50, "validation": 10, "test": 10}
    for name in ("mnist", "fashion_mnist"):
        monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], files=files, sizes=sizes))
    return arrays


@pytest.fixture
def data_dir(small, tmp_path):
    """A data directory as the project has one: mnist/ with four gzipped idx files."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, array in small.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return folder.parent


@pytest.fixture
def colours(monkeypatch, tmp_path):
    """A data directory with CIFAR-10's six files of 10 random images each, and the images and labels by split."""
    rng, folder = np.random.default_rng(1), tmp_path / "data" / "cifar10"
    folder.mkdir(parents=True)
    files, batches = {}, []
    for name in DATASETS["cifar10"].files:
        batches.append((rng.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, 10)))
        content = cifar_bytes(*batches[-1])
        (folder / name).write_bytes(content)
        files[name] = file_spec(content, (10, 3073))
    sizes = {"train": 40, "validation": 10, "test": 10}
    monkeypatch.setitem(DATASETS, "cifar10", replace(DATASETS["cifar10"], files=files, sizes=sizes))
    train = tuple(np.concatenate(arrays) for arrays in zip(*batches[:5], strict=True))
    return folder.parent, {"train": train, "test": batches[5]}
