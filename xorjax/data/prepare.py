"""tensorflow-datasets without TensorFlow: prepare published files under the catalogue's own name, and read any
prepared directory with the catalogue's own class. The only module that imports tensorflow_datasets.
"""

import contextlib
import io
import os
from collections.abc import Container, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import UInt8
from PIL import Image
from tensorflow_datasets.core import registered

from xorjax.data.batches import Split
from xorjax.data.catalogue import DataError, DatasetSpec, get_dataset
from xorjax.data.published import Published


def prepare(dataset: str, splits: Mapping[str, Published], data_dir: Path) -> None:
    """Write the published splits as the TFDS dataset `data_dir`/`dataset`."""
    spec = get_dataset(dataset)
    base = _catalogued(spec)

    def examples(split: str, features: Container[str]) -> Iterator[tuple[int, dict]]:
        # The keys are the catalogue's, and TFDS shuffles by key: the order is that of anyone's directory.
        for key, (image, label) in enumerate(zip(*splits[split], strict=True)):
            id = {"id": f"{split}_{key:05d}"} if "id" in features else {}
            yield key, {"image": _png(image), "label": int(label)} | id

    with registered.skip_registration():

        class Prepared(base):
            name = dataset

            def _split_generators(self, dl_manager):
                if spec.labels:
                    self.info.features["label"].names = spec.labels
                return {split: examples(split, self.info.features) for split in splits}

    tfds.disable_progress_bar()
    # TFDS speaks of a download, and there is none.
    with contextlib.redirect_stdout(io.StringIO()):
        Prepared(data_dir=os.fspath(data_dir), file_format="array_record").download_and_prepare()


def _catalogued(spec: DatasetSpec) -> Any:
    """The catalogue's own class, registered by its import."""
    module, _, name = spec.builder.partition(".")
    return getattr(import_module(f"tensorflow_datasets.image_classification.{module}"), name)


def read(dataset: str, data_dir: Path) -> dict[str, Split]:
    """The train, validation and test splits of the prepared dataset `data_dir`/`dataset`.

    Raises:
        DataError: it cannot be read, or it holds another number of examples.
    """
    spec, splits = get_dataset(dataset), {}
    for split, expression in spec.expressions.items():
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
        if len(records) != (size := spec.sizes[split]):
            raise DataError(
                f"{data_dir / dataset} has {len(records)} examples in {expression}, expected {size}."
            )
        images = np.stack([_pixels(record["image"]) for record in records])
        labels = np.array([record["label"] for record in records], np.int32)
        splits[split] = Split(images.reshape(-1, *spec.image_shape), labels)
    return splits


def _png(image: UInt8[np.ndarray, "height width *channels"]) -> io.BytesIO:
    # Encoded here: TFDS would import TensorFlow to encode an array.
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    file.seek(0)
    return file


def _pixels(png: bytes) -> UInt8[np.ndarray, "height width *channels"]:
    return np.asarray(Image.open(io.BytesIO(png)))
