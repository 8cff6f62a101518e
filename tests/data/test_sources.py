"""load_data: the same arrays from wherever they are, checked, kept, and never from a network."""

import gzip
import shutil
import socket
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xorjax.config.schema import DataConfig
from xorjax.data import DATASETS, DataError, MissingData, load_data, prepare
from xorjax.data.cache import TEMPORARY

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pairs(images, labels):
    """Examples as a multiset."""
    return Counter((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def config(data_dir, tmp_path, **others):
    return DataConfig(dir=str(data_dir), cache_dir=str(tmp_path / "cache"), **others)


def same(one, other):
    return all(
        np.array_equal(a, b)
        for split in ("train", "validation", "test")
        for a, b in zip(getattr(one, split), getattr(other, split), strict=True)
    )


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_come_back_through_tfds(data_dir, tmp_path, small, name):
    (data_dir / "mnist").rename(data_dir / name)
    data = load_data(config(data_dir, tmp_path, name=name))
    assert [split.targets.size for split in (data.train, data.validation, data.test)] == [50, 10, 10]
    assert data.train.inputs.shape == (50, 28, 28, 1)
    assert (data.train.inputs.dtype, data.train.targets.dtype) == (np.uint8, np.int32)
    found = pairs(*data.train) + pairs(*data.validation)
    assert found == pairs(small["train-images-idx3-ubyte"], small["train-labels-idx1-ubyte"])
    assert pairs(*data.test) == pairs(small["t10k-images-idx3-ubyte"], small["t10k-labels-idx1-ubyte"])
    assert "tensorflow" not in sys.modules


def test_the_binary_batches_of_cifar10_come_back_through_tfds(colours, tmp_path):
    data_dir, published = colours
    data = load_data(config(data_dir, tmp_path, name="cifar10"))
    assert [split.targets.size for split in (data.train, data.validation, data.test)] == [40, 10, 10]
    assert data.train.inputs.shape == (40, 32, 32, 3)
    assert (data.train.inputs.dtype, data.train.targets.dtype) == (np.uint8, np.int32)
    assert pairs(*data.train) + pairs(*data.validation) == pairs(*published["train"])
    assert pairs(*data.test) == pairs(*published["test"])
    assert "tensorflow" not in sys.modules
    # From the TFDS directory, and from the files in the folder of their archive.
    own_tfds = DataConfig("cifar10", str(tmp_path / "cache" / "tfds"), str(tmp_path / "second"))
    assert same(data, load_data(own_tfds))
    (data_dir / "cifar10").rename(data_dir / "cifar-10-batches-bin")
    assert same(data, load_data(config(data_dir, tmp_path, name="cifar10")))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), r"test_batch\.bin is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"test_batch\.bin is damaged: 30729 bytes"),
        (
            lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
            r"test_batch\.bin is not the canonical",
        ),
    ],
    ids=["missing", "short", "other"],
)
def test_a_batch_that_is_not_right_is_named(colours, tmp_path, damage, told):
    damage(colours[0] / "cifar10" / "test_batch.bin")
    with pytest.raises(DataError, match=told):
        load_data(config(colours[0], tmp_path, name="cifar10"))


def test_plain_tfds_reads_what_was_prepared(data_dir, tmp_path):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.image_classification import mnist as tfds_catalogue

    data = load_data(config(data_dir, tmp_path))
    source = tfds.data_source(
        "mnist",
        data_dir=tmp_path / "cache" / "tfds",
        split="train",
        decoders={"image": tfds.decode.SkipDecoding()},
    )
    labels = [source[i]["label"] for i in range(60)]
    assert labels == [*data.train.targets, *data.validation.targets]
    assert tfds.builder("mnist", data_dir=tmp_path / "cache" / "tfds").__class__ is tfds_catalogue.MNIST


def test_every_place_gives_the_same_arrays(data_dir, tmp_path):
    parent = load_data(config(data_dir, tmp_path))
    own_tfds = DataConfig(dir=str(tmp_path / "cache" / "tfds"), cache_dir=str(tmp_path / "second"))
    assert same(parent, load_data(own_tfds))
    assert not (tmp_path / "second" / "tfds").exists()
    assert same(parent, load_data(config(data_dir / "mnist", tmp_path)))
    for path in (data_dir / "mnist").iterdir():
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert same(parent, load_data(config(data_dir, tmp_path)))


def test_arrays_are_kept(data_dir, tmp_path, monkeypatch):
    first = load_data(config(data_dir, tmp_path))
    monkeypatch.setattr(prepare, "read", None)
    assert same(first, load_data(config(data_dir, tmp_path)))


@pytest.mark.parametrize("file", ["train_images.npy", "test_labels.npy", "manifest.json"])
def test_damaged_kept_arrays_are_made_anew(data_dir, tmp_path, caplog, file):
    first = load_data(config(data_dir, tmp_path))
    (path,) = (tmp_path / "cache").glob(f"mnist-*/{file}")
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    assert same(first, load_data(config(data_dir, tmp_path)))
    assert "damaged" in caplog.text
    caplog.clear()
    assert same(first, load_data(config(data_dir, tmp_path)))
    assert "damaged" not in caplog.text


@pytest.mark.parametrize("before", [True, False], ids=["on first use", "after it"])
def test_a_damaged_file_is_noticed(data_dir, tmp_path, before):
    if not before:
        load_data(config(data_dir, tmp_path))
    path = data_dir / "mnist" / "t10k-images-idx3-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[100] ^= 1
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is not the canonical file"):
        load_data(config(data_dir, tmp_path))


def test_a_missing_file_is_named(data_dir, tmp_path):
    (data_dir / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"mnist/train-labels-idx1-ubyte\.gz is missing"):
        load_data(config(data_dir, tmp_path))


@pytest.mark.parametrize(
    ("name", "first", "version"),
    [
        ("mnist", "train-images-idx3-ubyte.gz", "3.0.1"),
        ("fashion_mnist", "train-images-idx3-ubyte.gz", "3.0.1"),
        ("cifar10", "data_batch_1.bin", "3.0.2"),
    ],
)
def test_of_what_is_not_there_it_is_told_what_to_put_where(tmp_path, name, first, version):
    place = tmp_path / "nothing"
    with pytest.raises(MissingData) as raised:
        load_data(config(place, tmp_path, name=name))
    told = str(raised.value)
    assert told.startswith(f"no {name} in '{place}': put its files {first}, ")
    assert all(file in told for file in DATASETS[name].published)
    assert f"into {place / name}, or a TFDS directory {name}/{version} into {place}" in told


def refuse_locks(cache):
    cache.mkdir()
    (cache / ".lock").mkdir()


def damage_manifests(text):
    def damage(cache):
        for manifest in cache.glob("mnist-*/manifest.json"):
            manifest.write_text(text)

    return damage


def damage_tfds(cache):
    for records in (cache / "tfds" / "mnist").glob("*/*train.array_record*"):
        records.write_bytes(records.read_bytes()[:1000])
    for kept in cache.glob("mnist-*/*.npy"):
        kept.unlink()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (damage_manifests("[]"), "is damaged and made anew"),
        (damage_manifests("{}"), "is damaged and made anew"),
        (damage_manifests("[1]"), "is damaged and made anew"),
        (damage_manifests('{"train_images": 3}'), "is damaged and made anew"),
        (damage_tfds, "cannot be read by tensorflow-datasets"),
        (lambda cache: (shutil.rmtree(cache), cache.write_text("")), "is read but not kept: the cache"),
        (lambda cache: (shutil.rmtree(cache), refuse_locks(cache)), "is read but not kept: the cache"),
    ],
    ids=["a list", "nothing", "a number", "few", "tfds", "a file", "no lock"],
)
def test_a_cache_that_cannot_be_used_is_nobodys_fault(data_dir, tmp_path, caplog, damage, told):
    first = load_data(config(data_dir, tmp_path))
    damage(tmp_path / "cache")
    assert same(first, load_data(config(data_dir, tmp_path)))
    assert told in caplog.text


@pytest.mark.parametrize("options", ["ro", "size=20k"])
def test_a_cache_on_a_full_or_read_only_disk_keeps_nothing(data_dir, tmp_path, caplog, small_disk, options):
    first = load_data(config(data_dir, tmp_path))
    disk, remount = small_disk
    assert remount(options)
    where = DataConfig(dir=str(data_dir), cache_dir=str(disk / "cache"))
    assert same(first, load_data(where))
    assert f"mnist is read but not kept: the cache {disk / 'cache'} cannot be used" in caplog.text
    assert not list(disk.glob(f"cache/{TEMPORARY}*"))


def test_the_place_of_the_cache_is_told_once(data_dir, tmp_path, capsys):
    for told in (
        f"mnist: reading it from {data_dir / 'mnist'}, once; its arrays are kept in {tmp_path / 'cache'}\n",
        "",
    ):
        load_data(config(data_dir, tmp_path))
        assert capsys.readouterr().err == told


def test_a_damaged_tfds_directory_is_named(data_dir, tmp_path):
    load_data(config(data_dir, tmp_path))
    (records,) = (tmp_path / "cache" / "tfds" / "mnist").glob("*/*train.array_record*")
    records.write_bytes(records.read_bytes()[:1000])
    own_tfds = DataConfig(dir=str(tmp_path / "cache" / "tfds"), cache_dir=str(tmp_path / "second"))
    with pytest.raises(DataError, match=r"tfds/mnist .*cannot be read"):
        load_data(own_tfds)


def test_a_tfds_directory_with_too_few_examples_is_named(data_dir, tmp_path, monkeypatch):
    mnist = DATASETS["mnist"]
    monkeypatch.setitem(DATASETS, "mnist", replace(mnist, sizes=mnist.sizes | {"test": 11}))
    with pytest.raises(DataError, match="10 examples in test, expected 11"):
        load_data(config(data_dir, tmp_path))


def test_two_at_once_prepare_once(data_dir, tmp_path, monkeypatch):
    prepared, results = [], []
    original = prepare.prepare
    monkeypatch.setattr(prepare, "prepare", lambda *args: (prepared.append(1), original(*args)))
    threads = [
        threading.Thread(target=lambda: results.append(load_data(config(data_dir, tmp_path))))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(prepared) == 1
    assert same(*results)


@pytest.mark.parametrize("victim", ["prepare", "save"])
def test_killed_midway_starts_anew(data_dir, tmp_path, monkeypatch, victim):
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if victim == "prepare":
            patch.setattr(prepare, "_png", killed)
        else:
            patch.setattr(np, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            load_data(config(data_dir, tmp_path))
    leftover = tmp_path / "cache" / f"{TEMPORARY}mnist-0"
    leftover.mkdir()
    assert load_data(config(data_dir, tmp_path)).train.targets.size == 50
    assert not list((tmp_path / "cache").glob(f"{TEMPORARY}*"))


def test_the_first_n_of_each_split(data_dir, tmp_path):
    whole = load_data(config(data_dir, tmp_path))
    part = load_data(config(data_dir, tmp_path, n_train=7, n_validation=3, n_test=1))
    for split, n in (("train", 7), ("validation", 3), ("test", 1)):
        assert np.array_equal(getattr(part, split).inputs, getattr(whole, split).inputs[:n])
        assert np.array_equal(getattr(part, split).targets, getattr(whole, split).targets[:n])


@pytest.mark.parametrize(
    ("key", "n", "most"), [("n_train", 51, 50), ("n_validation", 0, 10), ("n_test", -1, 10)]
)
def test_impossible_numbers_are_refused(data_dir, tmp_path, key, n, most):
    with pytest.raises(DataError, match=f"data.{key} is {n}, expected 1 to {most}"):
        load_data(config(data_dir, tmp_path, **{key: n}))


def test_an_unknown_dataset_names_the_nearest(tmp_path):
    with pytest.raises(DataError, match="unknown dataset 'mnits': did you mean 'mnist'"):
        load_data(config(tmp_path, tmp_path, name="mnits"))


def test_the_real_mnist():
    data = load_data(DataConfig(dir=str(ROOT / "data"), cache_dir=str(ROOT / ".cache")))
    assert [split.targets.size for split in (data.train, data.validation, data.test)] == [
        55_000,
        5_000,
        10_000,
    ]
    # MNIST's own class counts.
    both = np.concatenate([data.train.targets, data.validation.targets])
    assert np.bincount(both).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The order is that of the catalogue's own directory.
    assert data.train.targets[:8].tolist() == [4, 1, 0, 7, 8, 1, 2, 7]
    assert data.test.targets[:8].tolist() == [2, 0, 4, 8, 7, 6, 0, 6]
    assert round(float(data.train.inputs.mean()), 2) == 33.33
