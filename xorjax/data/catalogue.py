"""The datasets there are: their sizes, their canonical files and the split that every experiment uses."""

from dataclasses import dataclass

from xorjax.errors import UserError
from xorjax.settings import nearest

IMAGE_SHAPE = (28, 28, 1)
VERSION = "3.0.1"
"""Of both datasets in the TFDS catalogue."""

SPLITS = {"train": "train[:55000]", "validation": "train[55000:]", "test": "test"}
"""The named split, in TFDS's terms: 55,000, 5,000 and 10,000 examples in TFDS's order."""
SIZES = {"train": 55_000, "validation": 5_000, "test": 10_000}

IDX_SHAPES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}


class DataError(UserError, ValueError):
    """A dataset that is unknown, missing, damaged or not the one it should be."""


class MissingData(DataError):
    """Nothing of a dataset is where it was looked for."""


@dataclass(frozen=True)
class DatasetSpec:
    """`builder` is the class in the TFDS catalogue, `found` says where the idx files are had from; `md5` of each of
    them once unpacked.
    """

    builder: str
    found: str
    n_classes: int
    md5: dict[str, str]


DATASETS = {
    "mnist": DatasetSpec(
        "MNIST",
        "the repository has them in data/mnist",
        10,
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    # Taken from Debian's dataset-fashion-mnist, whose files, given the gzip header of the originals (file name
    # and date), have the SHA-256 that the TFDS catalogue lists for those.
    "fashion_mnist": DatasetSpec(
        "FashionMNIST",
        "scripts/get_data.py fetches them",
        10,
        {
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
}


def get_dataset(name: str) -> DatasetSpec:
    """The dataset called `name`.

    Raises:
        DataError: no such dataset; names the nearest.
    """
    if name not in DATASETS:
        raise DataError(
            f"unknown dataset {name!r}: did you mean {nearest(name, DATASETS)!r}? Known: {', '.join(DATASETS)}."
        )
    return DATASETS[name]
