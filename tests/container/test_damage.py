"""Damaged files, and whole files with wrong content: each is refused, and file and tensor are named."""

import hashlib
import json
import re

import numpy as np
import pytest
from container_models import random_model, same_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xorjax.container import ContainerError, load, save, verify
from xorjax.container.format import checksum
from xorjax.container.tensors import from_bytes, to_bytes
from xorjax.container.write import serialize


@pytest.fixture(scope="module")
def data():
    return serialize(random_model())


def owner(data, position):
    """The tensor that the byte belongs to; None in the header."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    for name, entry in header.items():
        if name != "__metadata__" and entry["data_offsets"][0] <= position - start < entry["data_offsets"][1]:
            return name
    return None


def damage(rng, data):
    """A flipped bit, a cut, or two swapped runs: the damaged bytes, and where the flipped bit is."""
    kind = rng.choice(["flip", "cut", "swap"], p=[0.6, 0.2, 0.2])
    changed = bytearray(data)
    if kind == "flip":
        position = int(rng.integers(len(data)))
        changed[position] ^= 1 << int(rng.integers(8))
        return bytes(changed), position
    if kind == "cut":
        begin = int(rng.integers(len(data)))
        end = len(data) if rng.random() < 0.5 else begin + 1 + int(rng.integers(64))
        return bytes(data[:begin] + data[end:]), None
    n = 1 + int(rng.integers(32))
    a, b = sorted(rng.integers(len(data) - n, size=2).tolist())
    if a + n > b:
        b = min(a + n, len(data) - n)
    changed[a : a + n], changed[b : b + n] = data[b : b + n], data[a : a + n]
    return bytes(changed), None


def check_damages(tmp_path, data, n, seed):
    path, intact, rng = tmp_path / "damaged.safetensors", random_model(), np.random.default_rng(seed)
    refused = 0
    for _ in range(n):
        changed, position = damage(rng, data)
        path.write_bytes(changed)
        try:
            loaded, message = load(path), ""
        except ContainerError as error:
            loaded, message = None, str(error)
        if loaded is not None:
            assert same_model(loaded, intact)
            continue
        refused += 1
        assert str(path) in message
        if position is not None:
            assert (owner(data, position) or "") in message
    return refused


def test_500_damages_are_refused_or_harmless(tmp_path, data):
    assert check_damages(tmp_path, data, 500, seed=0) > 490


@pytest.mark.slow
def test_20_000_damages_are_refused_or_harmless(tmp_path, data):
    assert check_damages(tmp_path, data, 20_000, seed=1) > 19_600


@pytest.mark.slow
def test_every_flipped_bit_is_refused(tmp_path, data):
    path = tmp_path / "damaged.safetensors"
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << (position % 8)
        path.write_bytes(bytes(changed))
        with pytest.raises(ContainerError, match=re.escape(owner(data, position) or str(path))):
            load(path)


def test_a_file_cut_anywhere_is_refused_and_the_first_missing_tensor_named(tmp_path, data):
    path = tmp_path / "short.safetensors"
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        with pytest.raises(ContainerError) as caught:
            load(path)
        name = owner(data, end)
        assert f"tensor {name!r} ends at byte" in str(caught.value) if name else "header" in str(caught.value)


def forge(data, change):
    """Changes tensors and spec, then makes every checksum right again: another writer's mistake."""
    tensors, metadata = from_bytes(data)
    spec = json.loads(metadata["spec"])
    change(tensors, spec, metadata)
    if isinstance(spec["checksums"], dict):
        spec["checksums"] = {name: checksum(array) for name, array in tensors.items()}
    metadata["spec"] = json.dumps(spec)
    metadata["spec_sha256"] = hashlib.sha256(metadata["spec"].encode()).hexdigest()
    return to_bytes(tensors, metadata)


def put(keys, value):
    def change(tensors, spec, metadata):
        for key in keys[:-1]:
            spec = spec[key]
        spec[keys[-1]] = value

    return change


def tensor(name, value):
    return lambda tensors, spec, metadata: tensors.__setitem__(name, value(tensors.get(name)))


def string(name, value):
    return lambda tensors, spec, metadata: metadata.__setitem__(name, value)


FC1 = ("layers", "fc1/kernel")
CODES, SCALES = "layers/fc1/kernel/planes/0/codes", "layers/fc1/kernel/scales"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (string("format", "xorjay"), "metadata: format is 'xorjay'"),
        (string("format_version", "2"), "format_version is '2', and this reads 1; a newer xorjax"),
        (string("format_version", "one"), "format_version is 'one'"),
        (string("extra", "1"), "the keys are"),
        (put((*FC1, "mask_codec"), "huffman"), "'layers/fc1/kernel/mask': unknown mask codec 'huffman'"),
        (put((*FC1, "mask_codec"), "bitmap"), "'layers/fc1/kernel/mask/bits' is missing"),
        (put((*FC1, "method"), "magic"), "'layers/fc1/kernel/planes/0': method must be"),
        (put((*FC1, "patch_format"), "none"), "'layers/fc1/kernel/planes/0': patch_format must be"),
        (put((*FC1, "patch_block"), 0), "'layers/fc1/kernel/planes/0': patch_block must be"),
        (put((*FC1, "patch_block"), True), "lacks 'patch_block'"),
        (put((*FC1, "patch_block"), 2**31), "layers/fc1/kernel has 'patch_block' 2147483648, not 0 to"),
        (put((*FC1, "shape"), [-60, -37]), r"layers/fc1/kernel has shape \[-60, -37\]"),
        (put((*FC1, "shape"), [-(10**30)]), "layers/fc1/kernel has shape"),
        (put((*FC1, "shape"), [60, 47]), "'layers/fc1/kernel/planes/0': stream"),
        (put(("layers", "fc2/kernel", "shape"), [10, 37]), "'layers/fc2/kernel/scales': .* do not broadcast"),
        (put((*FC1, "shape"), [37, 60]), "'layers/fc1/kernel/planes/0': stream 'codes'"),
        (put((*FC1, "layout"), "diagonal"), "'layers/fc1/kernel/planes/0': layout must be"),
        (put((*FC1, "shape"), [60.0, 37]), "layers/fc1/kernel has 'shape' with an entry"),
        (put((*FC1, "shape"), "60x37"), "layers/fc1/kernel lacks 'shape'"),
        (put((*FC1, "network"), 2), "layers/fc1/kernel uses network 2 of 2"),
        (put((*FC1, "network"), -1), "layers/fc1/kernel has 'network' -1, not 0 to"),
        (put((*FC1, "network"), 0), "'layers/fc1/kernel/planes/0'"),
        (put((*FC1, "sha256"), []), "'fc1/kernel' has no bit plane"),
        (put((*FC1, "sha256"), ["", ""]), "'layers/fc1/kernel/planes/1/codes' is missing"),
        (put(FC1, 7), "layers/fc1/kernel lacks"),
        (put(("layers",), []), "lacks 'layers'"),
        (put(("networks",), {}), "lacks 'networks'"),
        (put(("networks", 1, "n_out"), 193), "'networks/1/matrix'"),
        (put(("networks", 1, "n_in"), 65), "'networks/1/matrix': a field's width"),
        (put(("networks", 1, "sha256"), "0"), "'networks/1/matrix': the matrix does not have"),
        (put(("networks", 1, "seed"), "4"), "networks/1/matrix lacks 'seed'"),
        (put(("metadata",), {"a": 1}), "metadata is not a map"),
        (put(("checksums",), None), "the spec lacks 'checksums'"),
        (
            tensor(SCALES, lambda a: np.where(a == a.max(), np.nan, a)),
            "'layers/fc1/kernel/scales': .* not finite",
        ),
        (tensor(SCALES, lambda a: a.astype(np.float64)), "'layers/fc1/kernel/scales': dtype float64"),
        (tensor(SCALES, lambda a: a[0]), "'layers/fc1/kernel/scales': .* do not broadcast"),
        (tensor(CODES, lambda a: a[:-1]), "'layers/fc1/kernel/planes/0': stream 'codes'"),
        (tensor(CODES, lambda a: np.append(a, a[:1])), "'layers/fc1/kernel/planes/0': stream 'codes'"),
        (tensor(CODES, lambda a: a.astype(np.float32)), "'layers/fc1/kernel/planes/0/codes' is float32"),
        (tensor(CODES, lambda a: a.reshape(1, -1)), "'layers/fc1/kernel/planes/0/codes' is uint8"),
        (tensor("networks/1/matrix", lambda a: np.append(a, a[:1])), "'networks/1/matrix': .* more than"),
        (tensor("params/fc1/bias", lambda a: a.view(np.uint8)), "'params/fc1/bias' has dtype uint8"),
        (tensor("extra", lambda a: np.zeros(3, np.float32)), "tensor 'extra' belongs to no"),
        (tensor("params/fc1/kernel", lambda a: np.zeros(3)), "'fc1/kernel' is both"),
        (lambda tensors, spec, metadata: tensors.pop(CODES), f"'{CODES}' is missing"),
        (lambda tensors, spec, metadata: tensors.pop("networks/0/matrix"), "'networks/0/matrix' is missing"),
    ],
)
def test_wrong_content_with_right_checksums_is_refused_by_name(tmp_path, data, change, match):
    path = tmp_path / "forged.safetensors"
    path.write_bytes(forge(data, change))
    with pytest.raises(ContainerError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_missing_or_foreign_tensor_is_named(tmp_path, data):
    path = tmp_path / "file.safetensors"
    tensors, metadata = from_bytes(data)
    path.write_bytes(to_bytes({name: a for name, a in tensors.items() if name != CODES}, metadata))
    with pytest.raises(ContainerError, match=f"tensor '{CODES}' is missing"):
        load(path)
    path.write_bytes(to_bytes({**tensors, "extra": tensors[CODES]}, metadata))
    with pytest.raises(ContainerError, match="tensor 'extra' is not in the spec"):
        load(path)
    other = np.ascontiguousarray(tensors[SCALES].reshape(1, 37, 1))
    path.write_bytes(to_bytes({**tensors, SCALES: other}, metadata))
    with pytest.raises(ContainerError, match=f"tensor '{SCALES}' is damaged"):
        load(path)


def test_verify_names_the_plane_whose_hash_is_wrong(tmp_path, data):
    path = tmp_path / "forged.safetensors"
    path.write_bytes(forge(data, tensor(CODES, lambda codes: codes ^ (np.arange(len(codes)) == 3))))
    assert load(path).layers.keys() == random_model().layers.keys()
    with pytest.raises(ContainerError, match="'layers/fc1/kernel/planes/0' does not decode to the plane"):
        verify(path)
    save(path, random_model())
    assert "layers/fc1/kernel/planes/0" in verify(path)


def places(value, path=()):
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from places(child, (*path, key))


PLACES = [
    place
    for place in places(json.loads(from_bytes(serialize(random_model()))[1]["spec"]))
    if place[0] != "checksums"
]
numbers = st.integers(-3, 70) | st.sampled_from([2**31, 2**63, 2**64, 10**30, -(10**30), 0.5, True, None])
values = st.recursive(numbers | st.text(), lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), value=values)
def test_no_spec_makes_load_fail_otherwise(tmp_path, data, place, value):
    path = tmp_path / "forged.safetensors"
    path.write_bytes(forge(data, put(place, value)))
    try:
        model, message = load(path), str(path)
    except ContainerError as error:
        model, message = None, str(error)
    assert str(path) in message
    assert model is None or model.layers.keys() == random_model().layers.keys()
