"""A dataset as arrays in memory, from wherever the user has it, with no network.

On first use the published files are checked and prepared as a TFDS dataset, which is then read as any other; since that
takes half a minute, the arrays are kept and read from then on as long as the files they came from stay
untouched.
"""

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xorjax.data.batches import Dataset, Split
from xorjax.data.cache import TEMPORARY, locked, read_arrays, write_arrays
from xorjax.data.catalogue import DataError, MissingData, get_dataset
from xorjax.data.config import DataConfig
from xorjax.data.published import Published, find_files, read_published

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where a dataset was found: the user's TFDS directory ("tfds"), or a folder of published files (their format)."""

    kind: str
    directory: Path
    files: tuple[Path, ...]

    @property
    def key(self) -> str:
        """Changes when a file does: a hash of names, sizes and times of modification."""
        stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in self.files]
        return hashlib.sha256(json.dumps([self.kind, stats]).encode()).hexdigest()[:16]


def find_source(name: str, directory: Path) -> Source:
    """Look for the dataset `name` in `directory`, which may be a TFDS directory (it holds name/version), a folder of
    published files, or the parent of such a folder called `name` or as it is published.

    Raises:
        MissingData: nothing of it is there.
        DataError: the dataset is unknown, or a file of it is missing.
    """
    spec = get_dataset(name)
    prepared = directory / name / spec.version
    if (prepared / "dataset_info.json").is_file():
        return Source("tfds", directory, tuple(sorted(file for file in prepared.iterdir() if file.is_file())))
    for folder in (directory / name, directory / spec.folder, directory):
        found = tuple(find_files(folder, name).values())
        if any(found):
            for published, path in zip(spec.published, found, strict=True):
                if path is None:
                    raise DataError(f"{folder / published} is missing.")
            return Source(spec.format, folder, tuple(path for path in found if path is not None))
    raise MissingData(
        f"no {name} in {str(directory)!r}: put its files {', '.join(spec.published)} ({spec.found}) into "
        f"{directory / name}, or a TFDS directory {name}/{spec.version} into {directory}"
    )


def load_data(config: DataConfig) -> Dataset:
    """The dataset `config.name` out of `config.dir`, split as the catalogue says, in TFDS's order.

    Images are uint8 (n, height, width, channels), targets the labels, int32 (n,).
    `n_train`, `n_validation` and `n_test` take the first so many examples of each.

    Raises:
        MissingData: as `find_source`.
        DataError: the dataset is unknown, missing, damaged or not the canonical one, or a number is too large.
    """
    splits = _load_splits(config.name, find_source(config.name, Path(config.dir)), Path(config.cache_dir))
    for split in splits:
        n = getattr(config, f"n_{split}")
        inputs, labels = splits[split]
        if n is not None and not 1 <= n <= len(labels):
            raise DataError(f"data.n_{split} is {n}, expected 1 to {len(labels)}.")
        splits[split] = Split(inputs[:n], labels[:n])
    return Dataset(**splits)


def _load_splits(name: str, source: Source, cache_dir: Path) -> dict[str, Split]:
    kept = cache_dir / f"{name}-{source.key}"
    arrays = read_arrays(kept)
    if arrays is None:
        arrays = _read(name, source, cache_dir, kept)
    splits = get_dataset(name).sizes
    return {split: Split(arrays[f"{split}_images"], arrays[f"{split}_labels"]) for split in splits}


def _read(name: str, source: Source, cache_dir: Path, kept: Path) -> dict[str, np.ndarray]:
    """From the source, kept as `kept`; a cache that cannot be used is none, and a line says so."""
    published = None if source.kind == "tfds" else read_published(source.directory, name)
    arrays = None
    try:
        with locked(cache_dir):
            arrays = read_arrays(kept)  # another process may have had the lock
            if arrays is None:
                if kept.exists():
                    log.warning("%s is damaged and made anew from %s", kept, source.directory)
                where = f"from {source.directory}, once; its arrays are kept in {cache_dir}"
                print(f"{name}: reading it {where}", file=sys.stderr)
                arrays = _through_tfds(name, source, published, cache_dir)
                write_arrays(kept, arrays)
    except Exception as refused:  # TFDS and its writer raise whatever they please
        if arrays is None:
            with tempfile.TemporaryDirectory() as elsewhere:
                # If it is not the cache that was at fault, this fails alike.
                arrays = _through_tfds(name, source, published, Path(elsewhere))
        reason = " ".join(str(refused).split())
        log.warning("%s is read but not kept: the cache %s cannot be used (%s)", name, cache_dir, reason)
    return arrays


def _through_tfds(
    name: str, source: Source, published: dict[str, Published] | None, work: Path
) -> dict[str, np.ndarray]:
    """The splits' arrays as TFDS orders them; those of published files are prepared in `work` first."""
    from xorjax.data import prepare  # here, since tensorflow_datasets takes seconds to import

    def read(data_dir: Path) -> dict[str, np.ndarray]:
        splits = prepare.read(name, data_dir)
        arrays = {f"{split}_images": of.inputs for split, of in splits.items()}
        return arrays | {f"{split}_labels": of.targets for split, of in splits.items()}

    if published is None:
        return read(source.directory)
    prepared = work / "tfds"
    if (prepared / name).exists():
        try:
            return read(prepared)
        except DataError as error:
            log.warning("%s; it is prepared anew", error)
            shutil.rmtree(prepared / name)
    temporary = work / f"{TEMPORARY}tfds"
    prepare.prepare(name, published, temporary)
    prepared.mkdir(exist_ok=True)
    os.rename(temporary / name, prepared / name)
    shutil.rmtree(temporary)
    return read(prepared)
