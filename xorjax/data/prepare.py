"""tensorflow-datasets without TensorFlow: prepare idx files under the catalogue's own name, and read any
prepared directory with the catalogue's own class. The only module that imports tensorflow_datasets.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import UInt8
from PIL import Image
from tensorflow_datasets.core import registered
from tensorflow_datasets.image_classification import mnist as catalogue

from xorjax.data.batches import Split
from xorjax.data.catalogue import IMAGE_SHAPE, SIZES, SPLITS, DataError, get_dataset


def prepare(dataset: str, arrays: dict[str, UInt8[np.ndarray, "..."]], data_dir: Path) -> None:
    """Write the arrays of the four idx files, by file name, as the TFDS dataset `data_dir`/`dataset`."""
    base = getattr(catalogue, get_dataset(dataset).builder)

    def examples(prefix: str) -> Iterator[tuple[int, dict]]:
        images, labels = arrays[f"{prefix}-images-idx3-ubyte"], arrays[f"{prefix}-labels-idx1-ubyte"]
        # The keys are the catalogue's, and TFDS shuffles by key: the order is that of anyone's directory.
        for key, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield key, {"image": _png(image), "label": int(label)}

    with registered.skip_registration():

        class Prepared(base):
            name = dataset

            def _split_generators(self, dl_manager):
                return {"train": examples("train"), "test": examples("t10k")}

    tfds.disable_progress_bar()
    # TFDS speaks of a download, and there is none.
    with contextlib.redirect_stdout(io.StringIO()):
        Prepared(data_dir=os.fspath(data_dir), file_format="array_record").download_and_prepare()


def read(dataset: str, data_dir: Path) -> dict[str, Split]:
    """The train, validation and test splits of the prepared dataset `data_dir`/`dataset`.

    Raises:
        DataError: it cannot be read, or it holds another number of examples.
    """
    splits = {}
    for split, expression in SPLITS.items():
        try:
            source: Any = tfds.data_source(
                dataset,
                data_dir=os.fspath(data_dir),
                split=expression,
                # Decoded below: the same pixels in half the time.
                decoders={"image": tfds.decode.SkipDecoding()},
            )
            records = source.__getitems__(range(len(source)))
        except Exception as error:  # TFDS and its reader raise whatever they please.
            reason = " ".join(str(error).split())
            raise DataError(
                f"{data_dir / dataset} cannot be read by tensorflow-datasets: {reason}"
            ) from error
        if len(records) != SIZES[split]:
            raise DataError(
                f"{data_dir / dataset} has {len(records)} examples in {expression}, expected {SIZES[split]}."
            )
        images = np.stack([_pixels(record["image"]) for record in records])
        labels = np.array([record["label"] for record in records], np.int32)
        splits[split] = Split(images.reshape(-1, *IMAGE_SHAPE), labels)
    return splits


def _png(image: UInt8[np.ndarray, "height width"]) -> io.BytesIO:
    # Encoded here: TFDS would import TensorFlow to encode an array.
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    file.seek(0)
    return file


def _pixels(png: bytes) -> UInt8[np.ndarray, "height width"]:
    return np.asarray(Image.open(io.BytesIO(png)))
