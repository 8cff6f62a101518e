"""The index of several files: written the same every time, and refused when it or a file lies."""

import json

import numpy as np
import pytest

from xorjax.codec.xor import XorCode
from xorjax.compression import CompressSpec, compress
from xorjax.container import ContainerError, save
from xorjax.container.index import (
    find_index,
    hash_file,
    load_shard,
    read_index,
    verify_shard,
    write_index,
)

SPEC = CompressSpec(layers=("w*",), prune_rate=0.5, code=XorCode(n_in=12))


@pytest.fixture
def index(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("1", "2"):
        arrays = {f"w{name}": rng.standard_normal((20, 30), dtype=np.float32), f"b{name}": np.arange(3)}
        save(tmp_path / f"{name}.xorjax", compress(arrays, SPEC))
    files = {path.name: hash_file(path) for path in tmp_path.glob("*.xorjax")}
    places = {f"{kind}{name}": f"{name}.xorjax" for kind in "wb" for name in "12"}
    path = tmp_path / "m.xorjax.index.json"
    write_index(path, files, places, {"n_in": 12})
    return path


def test_round_trip(index, tmp_path):
    read = read_index(index)
    assert read.name == "m"
    assert read.settings == {"n_in": 12}
    assert read.n_bytes == sum(path.stat().st_size for path in tmp_path.glob("*.xorjax"))
    assert [load_shard(read, file).layers.keys() for file in ("1.xorjax", "2.xorjax")] == [{"w1"}, {"w2"}]
    assert verify_shard(read, "2.xorjax") == ["layers/w2/planes/0"]
    before = index.read_bytes()
    write_index(index, dict(reversed(read.files.items())), dict(reversed(read.places.items())), read.settings)
    assert index.read_bytes() == before


def test_find(index, tmp_path):
    assert find_index(index) == find_index(tmp_path) == index
    assert find_index(tmp_path / "1.xorjax") is None
    (tmp_path / "n.xorjax.index.json").write_text("{}")
    with pytest.raises(ContainerError, match="it holds 2 "):
        find_index(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContainerError, match="repeat its command"):
        find_index(tmp_path / "empty")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda index: index.update(format="xorjax"), "format is not 'xorjax-index'"),
        (lambda index: index.update(format_version=2), "format_version is 2, and this reads 1"),
        (lambda index: index.pop("weight_map"), "weight_map or settings is no JSON object"),
        (lambda index: index["files"].update({"../1.xorjax": {}}), "names '../1.xorjax', which is not a file beside"),
        (lambda index: index["files"]["1.xorjax"].pop("sha256"), "'1.xorjax' lacks its bytes or its sha256"),
        (lambda index: index["files"].update({"": index["files"]["1.xorjax"]}), "names '', which is not a file beside"),
        (lambda index: index["weight_map"].update(x="3.xorjax"), "tensor 'x' is placed in '3.xorjax', which is"),
        (lambda index: index["weight_map"].update(x=["1.xorjax"]), r"tensor 'x' is placed in \['1.xorjax'\], which is"),
        (lambda index: index["weight_map"].update(x={"a": 1}), "tensor 'x' is placed in {'a': 1}, which is"),
        (lambda index: index["weight_map"].update(x=None), "tensor 'x' is placed in None, which is"),
    ],
)  # fmt: skip
def test_an_index_that_lies_is_refused(index, change, match):
    content = json.loads(index.read_text())
    change(content)
    index.write_text(json.dumps(content))
    with pytest.raises(ContainerError, match=match) as caught:
        read_index(index)
    assert str(index) in str(caught.value)


def test_an_index_that_is_not_json_is_refused(index):
    index.write_text(index.read_text()[:-9])
    with pytest.raises(ContainerError, match=r"m.xorjax.index.json: the index is not JSON"):
        read_index(index)


def test_files_that_are_not_those_of_the_index_are_refused(index, tmp_path):
    read = read_index(index)
    one, two = (tmp_path / name for name in ("1.xorjax", "2.xorjax"))
    data = one.read_bytes()
    one.write_bytes(two.read_bytes())
    with pytest.raises(
        ContainerError, match=r"1.xorjax: it is whole, but not the file whose SHA-256 m\.xorjax"
    ):
        verify_shard(read, "1.xorjax")
    with pytest.raises(ContainerError, match=r"1.xorjax: tensor 'b1' is missing; the index places it here"):
        load_shard(read, "1.xorjax")
    one.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ContainerError, match=r"1.xorjax: tensor '.*' is damaged"):
        verify_shard(read, "1.xorjax")
    one.unlink()
    with pytest.raises(FileNotFoundError, match=r"1\.xorjax"):
        verify_shard(read, "1.xorjax")
    read.places["b2"] = "1.xorjax"
    with pytest.raises(ContainerError, match="tensor 'b2' is not in the index"):
        verify_shard(read, "2.xorjax")
