"""The files of a dataset as they are published, found in a folder and read into arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from xorjax.data.catalogue import DataError, get_dataset
from xorjax.data.cifar import read_batch
from xorjax.data.idx import read_idx


class Published(NamedTuple):
    """A published split, in the order of its files."""

    images: UInt8[np.ndarray, "n height width *channels"]
    labels: UInt8[np.ndarray, " n"]


def find_files(directory: Path, dataset: str) -> dict[str, Path | None]:
    """Each file of the dataset in `directory`, idx files gzipped or not."""
    found: dict[str, Path | None] = {}
    for name, published in zip(get_dataset(dataset).files, get_dataset(dataset).published, strict=True):
        places = (directory / published, directory / name)
        found[name] = next((place for place in places if place.is_file()), None)
    return found


def read_published(directory: Path, dataset: str) -> dict[str, Published]:
    """The published splits of a dataset, "train" and "test".

    Raises:
        DataError: a file is missing, short, damaged or another one; names it.
    """
    spec, paths = get_dataset(dataset), []
    for published, path in zip(spec.published, find_files(directory, dataset).values(), strict=True):
        if path is None:
            raise DataError(f"{directory / published} is missing.")
        paths.append(path)
    files = [(path, of.shape, of.md5) for path, of in zip(paths, spec.files.values(), strict=True)]
    if spec.format == "idx":
        images, labels, test_images, test_labels = (read_idx(*file) for file in files)
        return {"train": Published(images, labels), "test": Published(test_images, test_labels)}
    *train, test = (Published(*read_batch(*file)) for file in files)
    return {"train": Published(*map(np.concatenate, zip(*train, strict=True))), "test": test}
