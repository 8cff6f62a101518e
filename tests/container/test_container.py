"""Whole files: round trip, determinism, counted bits, atomic writing, and the file of version 1."""

import os
from dataclasses import replace

import numpy as np
import pytest
import safetensors
from container_models import planned_model, plans, random_layer, random_model, same_layer, same_model
from hypothesis import given
from hypothesis import strategies as st

from xorjax.codec.xor import encode
from xorjax.container import (
    CompressedLayer,
    CompressedModel,
    ContainerError,
    bits,
    decode_weights,
    file_bytes,
    layer_bits,
    load,
    save,
    verify,
    write,
)
from xorjax.container.planes import decode_plane
from xorjax.container.write import serialize
from xorjax.decode import reference
from xorjax.gf2.network import XorNetwork
from xorjax.masks import encode_mask


@given(plan=plans)
def test_round_trip(tmp_path_factory, plan):
    model = planned_model(plan)
    path = tmp_path_factory.mktemp("container") / "model.safetensors"
    save(path, model)
    loaded = load(path)
    assert same_model(loaded, model)
    assert serialize(loaded) == path.read_bytes()
    assert verify(path) == list(loaded.planes)


def test_equal_models_give_equal_bytes():
    model = random_model()
    turned = CompressedModel(
        dict(reversed(model.layers.items())), dict(reversed(model.params.items())), model.metadata
    )
    assert serialize(random_model()) == serialize(model) == serialize(turned)
    assert serialize(random_model(seed=1)) != serialize(model)


@given(plan=plans)
def test_bits_are_the_bytes_in_the_file(tmp_path_factory, plan):
    model = planned_model(plan)
    path = tmp_path_factory.mktemp("container") / "model.safetensors"
    save(path, model)
    counted = {name: dict.fromkeys(layer_bits(layer), 0) for name, layer in model.layers.items()}
    rest = 0
    kinds = {"codes": "code_bits", "patch_counts": "patch_bits", "patch_positions": "patch_bits"}
    with safetensors.safe_open(path, framework="numpy") as file:
        for tensor in file.keys():  # noqa: SIM118 - a file, not a dict
            n_bits = 8 * file.get_tensor(tensor).nbytes
            group, _, rest_of_name = tensor.partition("/")
            if group != "layers":
                rest += n_bits
                continue
            layer = "/".join(rest_of_name.split("/")[:2])
            part, *stream = rest_of_name.removeprefix(f"{layer}/").split("/")
            kind = {"mask": "index_bits", "scales": "scale_bits"}.get(part) or kinds[stream[-1]]
            counted[layer][kind] += n_bits
    assert counted == {name: layer_bits(layer) for name, layer in model.layers.items()}
    assert bits(model) == {kind: sum(layer[kind] for layer in counted.values()) for kind in bits(model)}
    matrices = sum(8 * -(-net.n_in * net.n_out // 8) for net in model.networks)
    assert rest == matrices + sum(8 * param.nbytes for param in model.params.values())
    assert file_bytes(model) == os.path.getsize(path)


def test_bits_by_formula():
    net = XorNetwork.random(20, 192)
    layer = random_layer(np.random.default_rng(0), "fc1/kernel", (800, 500), net, mask_codec="bitmap")
    n_slices = -(-400_000 // 192)
    assert layer_bits(layer)["code_bits"] == 8 * -(-20 * n_slices // 8)
    assert layer_bits(layer)["index_bits"] == 400_000
    assert layer_bits(layer)["scale_bits"] == 32 * 500
    nbits = layer.planes[0].nbits
    assert layer_bits(layer)["patch_bits"] == nbits["patch_counts"] + nbits["patch_positions"]


def test_one_matrix_for_each_distinct_network(tmp_path):
    rng = np.random.default_rng(0)
    nets = [XorNetwork.random(5, 20), XorNetwork.random(5, 20), XorNetwork.random(5, 20, seed=1)]
    layers = {f"{i}/kernel": random_layer(rng, f"{i}/kernel", (9, 9), net) for i, net in enumerate(nets)}
    save(tmp_path / "file", CompressedModel(layers))
    with safetensors.safe_open(tmp_path / "file", framework="numpy") as file:
        matrices = [name for name in file.keys() if name.startswith("networks/")]  # noqa: SIM118
    assert matrices == ["networks/0/matrix", "networks/1/matrix"]
    loaded = load(tmp_path / "file")
    assert [loaded.layers[name].net for name in layers] == nets


@given(seed=st.integers(0, 2**32 - 1), n_in=st.integers(1, 128), more=st.integers(1, 40))
def test_planes_decode_as_the_reference_decodes_them(seed, n_in, more):
    rng = np.random.default_rng(seed)
    plane = random_layer(rng, "a", (7, 31), XorNetwork.random(n_in, n_in + more, seed)).planes[0]
    assert np.array_equal(decode_plane(plane), reference.decode(plane))


def test_an_encoded_layer_comes_back_right_on_every_care_bit(tmp_path):
    rng = np.random.default_rng(0)
    signs, index = rng.random((100, 80)) < 0.5, encode_mask(rng.random((100, 80)) < 0.1, "ans")
    planes = (encode(signs, index.mask, XorNetwork.random(12, 90)),)
    scales = rng.random((1, 1, 80), dtype=np.float32)
    save(
        tmp_path / "file", CompressedModel({"fc/kernel": CompressedLayer("fc/kernel", planes, index, scales)})
    )
    loaded = load(tmp_path / "file").layers["fc/kernel"]
    assert np.array_equal(loaded.mask, index.mask)
    assert np.array_equal(decode_plane(loaded.planes[0])[index.mask], signs[index.mask])
    assert np.array_equal(
        decode_weights(loaded), np.where(index.mask, np.where(signs, scales[0], -scales[0]), 0)
    )


def test_the_optional_keys_are_written_where_they_say_something(tmp_path):
    net, rng = XorNetwork.random(5, 20), np.random.default_rng(0)
    plain = random_layer(rng, "a", (9, 9), net)
    assert b"layout_seed" not in serialize(CompressedModel({"a": plain}))
    assert b"n_bounded" not in serialize(CompressedModel({"a": plain}))
    keyed = random_layer(rng, "a", (9, 9), net, 2, layout="shuffled", layout_seed=2**64 - 1)
    keyed = replace(keyed, planes=(keyed.planes[0], replace(keyed.planes[1], n_bounded=3)))
    save(tmp_path / "file", CompressedModel({"a": keyed}))
    assert same_layer(load(tmp_path / "file").layers["a"], keyed)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save(path, random_model())
    before = path.read_bytes()

    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        save(path, random_model(seed=1))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_replaces(tmp_path):
    path = tmp_path / "model.safetensors"
    save(path, random_model())
    save(path, random_model(seed=1))
    assert same_model(load(path), random_model(seed=1))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_without_layers(tmp_path):
    model = CompressedModel({}, {"a": np.ones(3, np.float32)})
    save(tmp_path / "file", model)
    assert same_model(load(tmp_path / "file"), model)
    assert bits(model) == {"code_bits": 0, "patch_bits": 0, "index_bits": 0, "scale_bits": 0}


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"planes": ()}, "has no bit plane"),
        ({"index": encode_mask(np.ones((37, 60), np.bool_), "bitmap")}, "plane 0 has shape"),
        ({"index": encode_mask(np.ones((60, 37), np.bool_), "bitmap")}, "plane 0 was encoded under another"),
        ({"scales": np.ones((1, 37), np.float32)}, "do not broadcast"),
        ({"scales": np.ones((2, 1, 37), np.float32)}, "do not broadcast"),
        ({"scales": np.ones((1, 37, 1), np.float32)}, "do not broadcast"),
        ({"scales": np.full((1, 1, 1), np.inf, np.float32)}, "not finite"),
    ],
)
def test_parts_that_do_not_fit_make_no_layer(change, match):
    with pytest.raises(ValueError, match=match):
        replace(random_model().layers["fc1/kernel"], **change)


def test_planes_encoded_otherwise_make_no_layer():
    net, other = XorNetwork.random(5, 20), XorNetwork.random(5, 20, 1)
    layer = random_layer(np.random.default_rng(0), "a", (9, 9), net)
    for change in ({"net": other}, {"layout": "interleaved"}, {"layout_seed": 1}, {"patch_format": "care"}):
        planes = (*layer.planes, replace(layer.planes[0], **change))
        with pytest.raises(ValueError, match="plane 1 is encoded otherwise than plane 0"):
            CompressedLayer("a", planes, layer.index, np.ones((2, 1, 1), np.float32))


def test_a_layout_seed_that_load_would_refuse_makes_no_layer():
    layer = random_layer(np.random.default_rng(0), "a", (9, 9), XorNetwork.random(5, 20))
    with pytest.raises(ValueError, match="layout_seed is 18446744073709551616, over"):
        replace(layer, planes=(replace(layer.planes[0], layout_seed=2**64),))


def test_a_patch_block_that_load_would_refuse_makes_no_layer():
    net = XorNetwork.random(5, 20)
    with pytest.raises(ValueError, match="patch_block is 16777217, over 16777216"):
        random_layer(np.random.default_rng(0), "a", (9, 9), net, patch_block=2**24 + 1)
    assert random_layer(np.random.default_rng(0), "a", (9, 9), net, patch_block=2**24).n_weights == 81


def test_names_that_clash_make_no_model():
    layers = random_model().layers
    with pytest.raises(ValueError, match="is filed under 'other'"):
        CompressedModel({"other": layers["fc1/kernel"]})
    with pytest.raises(ValueError, match="both a compressed layer and a parameter"):
        CompressedModel(layers, {"fc1/kernel": np.ones(3, np.float32)})


@pytest.mark.parametrize("dtype", [np.longdouble, np.complex64, object, "S3"])
def test_a_parameter_of_an_unknown_dtype_is_refused_by_name(dtype):
    with pytest.raises(ValueError, match=r"parameter 'bias': dtype .* is not one of BOOL"):
        serialize(CompressedModel({}, {"bias": np.ones(3, dtype)}))


def test_a_layer_with_too_many_weights_for_its_bytes_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "WEIGHTS_PER_BYTE", 1)
    layer = random_layer(
        np.random.default_rng(0), "a", (300, 200), XorNetwork.random(2, 100), mask_codec="golomb"
    )
    with pytest.raises(ValueError, match=r"60000 weights in .* bytes are over 1 a byte"):
        save(tmp_path / "file", CompressedModel({"a": layer}))
    assert not list(tmp_path.iterdir())


def test_an_unusable_path_is_a_container_or_os_error(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(ContainerError, match="empty: header"):
        load(tmp_path / "empty")
    with pytest.raises(OSError, match="directory"):
        load(tmp_path)
