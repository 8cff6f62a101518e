"""The datasets there are: their sizes, their canonical files and the split that every experiment uses."""

from dataclasses import dataclass

from xorjax.errors import UserError
from xorjax.settings import nearest


class DataError(UserError, ValueError):
    """A dataset that is unknown, missing, damaged or not the one it should be."""


class MissingData(DataError):
    """Nothing of a dataset is where it was looked for."""


@dataclass(frozen=True)
class FileSpec:
    """The shape of the array in a canonical file, and the MD5 of its content once unpacked."""

    shape: tuple[int, ...]
    md5: str


@dataclass(frozen=True)
class DatasetSpec:
    """What a dataset is.

    Attributes:
        builder: module and class in the TFDS catalogue.
        version: there.
        found: where the files are had from.
        format: of the files, "idx" or "cifar".
        files: the canonical ones by name.
        folder: what the folder is called that they are published in.
        image_shape: height, width, channels.
        n_classes: how many labels.
        sizes: of the splits. Validation is the end of the published training split, in TFDS's order.
        mean: of each channel of the training split, pixels in [0, 1]; a model that normalizes subtracts it.
        std: the deviation of each channel, by which such a model divides.
        labels: the classes' names, where the files do not count them.
    """

    builder: str
    version: str
    found: str
    format: str
    files: dict[str, FileSpec]
    folder: str
    image_shape: tuple[int, int, int]
    n_classes: int
    sizes: dict[str, int]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    labels: tuple[str, ...] = ()

    @property
    def expressions(self) -> dict[str, str]:
        """Each split in TFDS's terms."""
        n = self.sizes["train"]
        return {"train": f"train[:{n}]", "validation": f"train[{n}:]", "test": "test"}

    @property
    def published(self) -> tuple[str, ...]:
        """The files' names as they are published."""
        return tuple(f"{name}.gz" if self.format == "idx" else name for name in self.files)


def _idx(builder: str, found: str, folder: str, md5: tuple[str, str, str, str]) -> DatasetSpec:
    shapes = {
        "train-images-idx3-ubyte": (60_000, 28, 28),
        "train-labels-idx1-ubyte": (60_000,),
        "t10k-images-idx3-ubyte": (10_000, 28, 28),
        "t10k-labels-idx1-ubyte": (10_000,),
    }
    files = {name: FileSpec(shape, of) for (name, shape), of in zip(shapes.items(), md5, strict=True)}
    sizes = {"train": 55_000, "validation": 5_000, "test": 10_000}
    return DatasetSpec(builder, "3.0.1", found, "idx", files, folder, (28, 28, 1), 10, sizes)


DATASETS = {
    "mnist": _idx(
        "mnist.MNIST",
        "the repository has them in data/mnist",
        "mnist",
        (
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
    ),
    # Taken from Debian's dataset-fashion-mnist, whose files, given the gzip header of the originals (file name
    # and date), have the SHA-256 that the TFDS catalogue lists for those.
    "fashion_mnist": _idx(
        "mnist.FashionMNIST",
        "scripts/get_data.py fetches them",
        "fashion-mnist",
        (
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
    ),
    "cifar10": DatasetSpec(
        "cifar.Cifar10",
        "3.0.2",
        "scripts/get_data.py fetches them",
        "cifar",
        {
            "data_batch_1.bin": FileSpec((10_000, 3073), "5dd7e06a14cb22eb9f671a540d1b7c25"),
            "data_batch_2.bin": FileSpec((10_000, 3073), "5ea93a67294ea407fff1d09f752e9692"),
            "data_batch_3.bin": FileSpec((10_000, 3073), "942cd6a4bcdd0dd3c604fbe906cb4421"),
            "data_batch_4.bin": FileSpec((10_000, 3073), "ae636b3ba5c66a11e91e8cb52e771fcb"),
            "data_batch_5.bin": FileSpec((10_000, 3073), "53f37980c15c3d472c316c40844f3f0d"),
            "test_batch.bin": FileSpec((10_000, 3073), "803d5f7f4d78ea53de84dbe85f74fb6d"),
        },
        "cifar-10-batches-bin",
        (32, 32, 3),
        10,
        {"train": 45_000, "validation": 5_000, "test": 10_000},
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
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
