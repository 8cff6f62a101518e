"""Checkpoints: one file or shards, read in pieces, and what is refused."""

import json
import re

import ml_dtypes
import numpy as np
import pytest

from xorjax.compression import CompressSpec, make_cut
from xorjax.compression.checkpoint import CompressError, Mapped, open_checkpoint
from xorjax.container import CompressedModel, save
from xorjax.container.tensors import to_bytes

TENSORS = {
    "a": np.arange(12, dtype=np.float32).reshape(3, 4),
    "b": np.arange(5).astype(ml_dtypes.bfloat16),
    "c": np.arange(3),
    "d": np.zeros((0, 7), np.float16),
}


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def write_shards(directory, index=None):
    (directory / "m-1.safetensors").write_bytes(to_bytes({"a": TENSORS["a"]}, {"format": "pt"}))
    (directory / "m-2.safetensors").write_bytes(to_bytes({n: TENSORS[n] for n in "bcd"}, {"format": "pt"}))
    places = {"a": "m-1.safetensors", **dict.fromkeys("bcd", "m-2.safetensors")}
    path = directory / "m.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places, "metadata": {}} if index is None else index))
    return path


def test_one_file(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(to_bytes(TENSORS, {"format": "pt"}))
    for given in (path, tmp_path):
        checkpoint = open_checkpoint(given)
        assert list(checkpoint) == sorted(TENSORS)
        assert all(same(np.asarray(checkpoint[name].mapped()), array) for name, array in TENSORS.items())
        assert checkpoint["a"].read(5, 9).tolist() == [5, 6, 7, 8]
        assert checkpoint.metadata == {"format": "pt"}
        assert checkpoint.n_bytes == path.stat().st_size


def test_shards_with_an_index(tmp_path):
    index = write_shards(tmp_path)
    for given in (index, tmp_path):
        checkpoint = open_checkpoint(given)
        assert all(same(np.asarray(checkpoint[name].mapped()), array) for name, array in TENSORS.items())
        assert checkpoint.n_bytes == sum(path.stat().st_size for path in tmp_path.glob("m-*"))


PLACES = {"a": "m-1.safetensors", **dict.fromkeys("bcd", "m-2.safetensors")}


@pytest.mark.parametrize(
    ("index", "match"),
    [
        ([], "the index has no weight_map"),
        ({"weight_map": {"a": 1}}, "the index has no weight_map"),
        ({"weight_map": {**PLACES, "e": "m-1.safetensors"}}, "m-1.safetensors: tensor 'e' is missing"),
        ({"weight_map": {n: PLACES[n] for n in "abd"}}, "the index lacks tensor 'c' of m-2.safetensors"),
        ({"weight_map": {**PLACES, "a": "../m-1.safetensors"}}, "names '../m-1.safetensors', which is not"),
        ({"weight_map": {**PLACES, "a": "/etc/passwd"}}, "names '/etc/passwd', which is not"),
        ({"weight_map": {**PLACES, "a": ".."}}, "names '..'"),
    ],
)
def test_an_index_that_lies_is_refused(tmp_path, index, match):
    path = write_shards(tmp_path, index)
    with pytest.raises((CompressError, IsADirectoryError), match=match) as caught:
        open_checkpoint(path)
    assert str(tmp_path) in str(caught.value)


def test_an_index_that_is_not_json(tmp_path):
    path = write_shards(tmp_path)
    path.write_text("{")
    with pytest.raises(CompressError, match="the index is not JSON"):
        open_checkpoint(path)


def test_directories_of_none_and_of_several(tmp_path):
    with pytest.raises(CompressError, match="holds no"):
        open_checkpoint(tmp_path)
    write_shards(tmp_path).unlink()
    with pytest.raises(CompressError, match=r"holds 2 of them \(m-1.safetensors"):
        open_checkpoint(tmp_path)


def test_what_is_mapped_is_mapped_when_it_is_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    path.write_bytes(to_bytes(TENSORS, {}))
    mapped = Mapped(open_checkpoint(path), ("a", "c"))
    monkeypatch.setattr(np, "memmap", None)
    assert list(mapped) == ["a", "c"]
    assert "c" in mapped
    assert "b" not in mapped
    monkeypatch.undo()
    assert same(np.asarray(mapped["c"]), TENSORS["c"])
    with pytest.raises(KeyError):
        mapped["b"]


def test_a_file_of_xorjax_is_no_checkpoint(tmp_path):
    path = tmp_path / "m.safetensors"
    save(path, CompressedModel({}, TENSORS))
    with pytest.raises(CompressError, match=r"m.safetensors: it is a file of xorjax; decompress it first"):
        open_checkpoint(tmp_path)
    path.rename(tmp_path / "m.xorjax")
    (tmp_path / "m.xorjax.index.json").write_text("{}")
    with pytest.raises(CompressError, match="it holds shards of xorjax; decompress them first"):
        open_checkpoint(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "m.safetensors"
    data = to_bytes(TENSORS, {})
    for end in (0, 7, 60, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(CompressError, match=r"m.safetensors: (header|tensor)"):
            open_checkpoint(path)


def test_reprs_stay_short(tmp_path):
    many = {f"layers.{i}.weight": np.ones((2, 2), np.float32) for i in range(999)}
    (tmp_path / "m.safetensors").write_bytes(to_bytes(many, {}))
    checkpoint = open_checkpoint(tmp_path)
    cut = make_cut(tmp_path, CompressSpec(("*",), masks={name: array > 0 for name, array in many.items()}))
    for value, says in (
        (checkpoint, r"Checkpoint\(999 tensors \['layers\.0\.weight', .*\.\.\.\], [\d,]+ bytes\)"),
        (Mapped(checkpoint, many), r"Mapped\(999 tensors \['layers\.0\.weight', .*\.\.\.\]\)"),
        (cut, r"Cut\('m' of '.*', 3,996 weights in 999 layers, 1 shards, CompressSpec\(.*\)\)"),
        (cut.shards[0], r"Shard\('m-00001.*', 3,996 weights in layers \[.*\.\.\.\], 0 other tensors\)"),
    ):
        assert re.fullmatch(says, repr(value))
        assert len(repr(value)) < 1000
