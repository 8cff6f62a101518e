"""The script that fetches data sets, from files made here: nothing is downloaded."""

import gzip
import hashlib
import io
import os
import runpy
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xorjax.data.catalogue import DATASETS, IDX_SHAPES

SCRIPT = Path(__file__).parents[1] / "scripts" / "get_data.py"
INSIDE = "usr/share/datasets/fashion-mnist"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Four idx files of zeros of the right sizes, gzipped, and their contents' MD5."""
    folder, md5 = tmp_path_factory.mktemp("files"), {}
    for name, shape in IDX_SHAPES.items():
        header = bytes([0, 0, 8, len(shape)]) + np.asarray(shape, ">u4").tobytes()
        content = header + bytes(int(np.prod(shape)))
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
        md5[name] = hashlib.md5(content).hexdigest()
    return folder, md5


@pytest.fixture
def get(files, tmp_path, monkeypatch, capsys):
    """Runs the script into tmp_path/out, where no program and no host is known; of data `files` are the right ones."""
    monkeypatch.setitem(DATASETS, "fashion_mnist", replace(DATASETS["fashion_mnist"], md5=files[1]))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(urllib.request, "urlopen", _no_host)
    script = runpy.run_path(str(SCRIPT))

    def run(*arguments):
        code = script["main"](["fashion_mnist", "--out", str(tmp_path / "out"), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def _no_host(url, timeout):
    raise urllib.error.URLError("no network")


def program(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\nset -e\nPATH=/usr/bin:/bin\n{body}\n")
    path.chmod(0o755)


def with_dpkg(tmp_path, source):
    program(tmp_path / "bin", "dpkg-deb", f'mkdir -p "$3/{INSIDE}" && cp {source}/*.gz "$3/{INSIDE}"')


def there(tmp_path):
    return sorted(os.listdir(tmp_path / "out")) if (tmp_path / "out").exists() else []


def test_from_the_authors(get, files, tmp_path, monkeypatch):
    monkeypatch.setattr(
        urllib.request,
        "urlopen",
        lambda url, timeout: io.BytesIO((files[0] / url.rsplit("/")[-1]).read_bytes()),
    )
    code, out, err = get()
    assert (code, err) == (0, "")
    assert "4 files" in out
    assert there(tmp_path) == ["fashion_mnist"]
    assert sorted(os.listdir(tmp_path / "out/fashion_mnist")) == sorted(f"{name}.gz" for name in IDX_SHAPES)
    code, out, _ = get()
    assert code == 0
    assert "is there already" in out


def test_from_debian_where_the_authors_do_not_answer(get, files, tmp_path):
    program(tmp_path / "bin", "apt-get", 'test "$*" = "download dataset-fashion-mnist" && echo > data.deb')
    with_dpkg(tmp_path, files[0])
    assert get()[0] == 0
    assert there(tmp_path) == ["fashion_mnist"]


def test_from_a_package_that_is_there(get, files, tmp_path):
    with_dpkg(tmp_path, files[0])
    archive = tmp_path / "data.deb"
    code, _, err = get("--archive", archive)
    assert code == 1
    assert f"{archive} is no file" in err
    archive.write_bytes(b"")
    assert get("--archive", archive)[0] == 0


def test_other_contents_are_refused_and_nothing_is_left(get, files, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for file in files[0].iterdir():
        (wrong / file.name).write_bytes(file.read_bytes())
    (wrong / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8)))
    with_dpkg(tmp_path, wrong)
    (tmp_path / "data.deb").write_bytes(b"")
    code, _, err = get("--archive", tmp_path / "data.deb")
    assert code == 1
    assert "t10k-labels-idx1-ubyte.gz" in err
    assert there(tmp_path) == []


def test_no_source(get, tmp_path):
    code, _, err = get()
    assert code == 1
    assert "no network" in err
    assert "apt-get is not installed" in err
    assert there(tmp_path) == []


def test_damaged_files_that_are_there(get, tmp_path):
    (tmp_path / "out/fashion_mnist").mkdir(parents=True)
    code, _, err = get()
    assert code == 1
    assert "is missing" in err
