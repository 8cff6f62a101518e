"""Whole files: round trip, determinism, counted bits, atomic writing, what makes no layer."""

import json
import os
import re
import zlib
from dataclasses import dataclass, replace
from unittest.mock import ANY

import jaxtyping
import numpy as np
import pytest
import safetensors
from container_models import DTYPES, planned_model, plans, random_layer, random_model, same_layer, same_model
from hypothesis import given
from hypothesis import strategies as st
from serialized import serialize

from xorjax import AnsSignsCode, DenseCode, SignsCode, settings
from xorjax.codec import xor
from xorjax.codec.code import CODES
from xorjax.codec.xor import XorCode, network
from xorjax.container import (
    CompressedLayer,
    CompressedModel,
    ContainerError,
    bits,
    decode_weights,
    file_bytes,
    layer_bits,
    load,
    packed,
    save,
    verify,
    write,
)
from xorjax.container.model import decode_planes
from xorjax.container.narrow import narrow
from xorjax.container.packed import MAX_RATIO, unpack
from xorjax.container.parts import file_parts
from xorjax.container.spec import LAYER_KEYS, code_defaults
from xorjax.container.tensors import DTYPES as DTYPES_BY_ID
from xorjax.container.tensors import from_bytes
from xorjax.gf2.network import XorNetwork
from xorjax.masks import encode_mask

RNG = np.random.default_rng(0)
NAMES = ("a/planes/0", "a/planes", "a/mask", "a", "", "0/planes/0/codes", "a\nb", "layers/a", "scales")


@given(plan=plans)
def test_round_trip(tmp_path_factory, plan):
    model = planned_model(plan)
    path = tmp_path_factory.mktemp("container") / "model.safetensors"
    save(path, model)
    loaded = load(path)
    assert same_model(loaded, model)
    assert serialize(loaded) == path.read_bytes()
    assert verify(path) == [plane for layer in loaded.layers.values() for plane in layer.plane_names]


def test_equal_models_give_equal_bytes():
    model = random_model()
    turned = CompressedModel(
        dict(reversed(model.layers.items())), dict(reversed(model.params.items())), model.metadata
    )
    assert serialize(random_model()) == serialize(model) == serialize(turned)
    assert serialize(random_model(seed=1)) != serialize(model)


def stored_bytes(path):
    """The bytes of every tensor in the file: those of the header by safetensors, and those in "packed"."""
    with safetensors.safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - a file, not a dict
    inflate = zlib.decompressobj(-15)
    spec = json.loads(inflate.decompress(tensors.pop("packed").tobytes()[4:]))
    small = {
        name: np.prod(entry["shape"], dtype=int) * DTYPES_BY_ID[entry["dtype"]].itemsize
        for name, entry in spec["tensors"].items()
        if "shape" in entry
    }
    assert sum(small.values()) == len(inflate.unused_data)
    return small | {name: array.nbytes for name, array in tensors.items()}


@given(plan=plans)
def test_bits_are_the_bytes_in_the_file(tmp_path_factory, plan):
    model = planned_model(plan)
    path = tmp_path_factory.mktemp("container") / "model.safetensors"
    save(path, model)
    counted = {name: dict.fromkeys(layer_bits(layer), 0) for name, layer in model.layers.items()}
    rest = 0
    patches = {"patch_counts": "patch_bits", "patch_positions": "patch_bits"}
    for tensor, n_bytes in stored_bytes(path).items():
        n_bits = 8 * n_bytes
        group, _, rest_of_name = tensor.partition("/")
        if group != "layers":
            rest += n_bits
            continue
        layer = "/".join(rest_of_name.split("/")[:2])
        part, *stream = rest_of_name.removeprefix(f"{layer}/").split("/")
        kind = {"mask": "index_bits", "scales": "scale_bits"}.get(part) or patches.get(
            stream[-1], "code_bits"
        )
        counted[layer][kind] += n_bits
    assert counted == {name: layer_bits(layer) for name, layer in model.layers.items()}
    assert bits(model) == {kind: sum(layer[kind] for layer in counted.values()) for kind in bits(model)}
    matrices = {
        matrix.tobytes() for layer in model.layers.values() for matrix in layer.values.given().values()
    }
    assert rest == sum(8 * len(matrix) for matrix in matrices) + sum(
        8 * narrow(param)[0].nbytes for param in model.params.values()
    )
    assert file_bytes(model) == os.path.getsize(path)
    parts, kinds = (
        file_parts(path),
        dict(zip(bits(model), ("codes", "patches", "masks", "scales"), strict=True)),
    )
    assert {kind: 8 * parts[name] for kind, name in kinds.items()} == bits(model)
    assert 8 * (parts["shared"] + parts["params"]) == rest
    assert sum(parts.values()) == file_bytes(model)


def test_bits_by_formula():
    net = XorNetwork.random(20, 192)
    layer = random_layer(np.random.default_rng(0), "fc1/kernel", (800, 500), net, mask_codec="bitmap")
    n_slices = -(-400_000 // 192)
    assert layer_bits(layer)["code_bits"] == 8 * -(-20 * n_slices // 8)
    assert layer_bits(layer)["index_bits"] == 400_000
    assert layer_bits(layer)["scale_bits"] == 32 * 500
    n_bytes = {name: len(stream) for name, stream in layer.values.streams.items()}
    assert layer_bits(layer)["patch_bits"] == 8 * (n_bytes["0/patch_counts"] + n_bytes["0/patch_positions"])
    half = random_layer(np.random.default_rng(0), "a", (800, 500), net, 1, None, "float16", "signs")
    assert layer_bits(half) == {
        "code_bits": 400_000, "patch_bits": 0, "index_bits": 0, "scale_bits": 16 * 500,
    }  # fmt: skip


def test_what_layers_share_is_stored_once(tmp_path):
    rng = np.random.default_rng(0)
    nets = [XorNetwork.from_matrix(XorNetwork.random(5, 20, seed).matrix) for seed in (0, 0, 1)]
    layers = {f"{i}/kernel": random_layer(rng, f"{i}/kernel", (9, 9), net) for i, net in enumerate(nets)}
    save(tmp_path / "file", CompressedModel(layers))
    matrices = [name for name in stored_bytes(tmp_path / "file") if name.startswith("shared/")]
    assert matrices == ["shared/0/matrix", "shared/1/matrix"]
    loaded = load(tmp_path / "file")
    assert [network(loaded.layers[name].values) for name in layers] == nets


def test_a_drawn_matrix_is_not_stored_and_comes_back(tmp_path, monkeypatch):
    """A network of two layers is drawn once; one that its seed does not give, or of no seed, is stored."""
    rng, path = np.random.default_rng(0), tmp_path / "file"
    matrix = XorNetwork.random(5, 20, seed=1).matrix
    nets = {
        "a": XorNetwork.random(5, 20),
        "b": XorNetwork.random(5, 20),
        "c": XorNetwork.random(5, 20, seed=1, taps=2),
        "of no seed": XorNetwork.from_matrix(matrix),
        "of another seed": XorNetwork(matrix, seed=2),
        "of other taps": XorNetwork(matrix, seed=1, taps=3),
    }
    save(path, CompressedModel({name: random_layer(rng, name, (9, 9), net) for name, net in nets.items()}))
    assert file_parts(path)["shared"] == -(-5 * 20 // 8)
    draws, draw = [], XorNetwork.random
    monkeypatch.setattr(XorNetwork, "random", lambda *args: draws.append(args) or draw(*args))
    xor._draw_matrix.cache_clear()
    loaded = load(path)
    assert {name: network(layer.values) for name, layer in loaded.layers.items()} == nets
    assert [(net.seed, net.taps) for net in (network(loaded.layers[name].values) for name in nets)] == [
        (net.seed, net.taps) for net in nets.values()
    ]
    assert len(draws) == 2
    assert serialize(loaded) == path.read_bytes()


def test_a_matrix_is_stored_where_drawing_it_would_take_long(tmp_path):
    """What a small file makes its reader draw is bounded."""
    rng = np.random.default_rng(0)
    rare = XorNetwork.random(16, 17, seed=10, taps=3)
    for net, n_stored in (
        (XorNetwork.random(64, 2**14), 0),
        (XorNetwork.random(64, 2**14 + 1), 8 * (2**14 + 1)),
        (rare, 0),
    ):
        save(tmp_path / "file", CompressedModel({"a": random_layer(rng, "a", (9, 9), net)}))
        assert file_parts(tmp_path / "file")["shared"] == n_stored
        assert network(load(tmp_path / "file").layers["a"].values) == net
    code = XorCode(n_in=64, n_out=2**14 + 1)
    assert not code.draw(64 * (2**14 + 1) - 1)
    assert code.draw(64 * (2**14 + 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xor, "DRAWN_BITS", 16 * 17)
        xor._draw_matrix.cache_clear()
        assert not XorCode(n_in=16, n_out=17, seed=10, taps=3).draw(0)
    xor._draw_matrix.cache_clear()


@pytest.mark.parametrize("code", [XorCode(n_in=12, n_out=90), SignsCode(), AnsSignsCode(), DenseCode()])
@pytest.mark.parametrize("mask_codec", ["ans", None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_encoded_layer_comes_back_right_on_every_kept_weight(tmp_path, code, mask_codec, dtype):
    rng = np.random.default_rng(0)
    signs, mask = rng.random((2, 100, 80)) < 0.5, rng.random((100, 80)) < 0.1
    index = None if mask_codec is None else encode_mask(mask, mask_codec)
    mask = np.ones((100, 80), np.bool_) if index is None else mask
    scales = rng.random((2, 1, 80), dtype=np.float32).astype(dtype)
    layer = CompressedLayer("fc/kernel", code.encode(signs, None if index is None else mask), index, scales)
    save(tmp_path / "file", CompressedModel({"fc/kernel": layer}))
    model = load(tmp_path / "file")
    loaded = model.layers["fc/kernel"]
    assert same_layer(loaded, layer)
    assert np.array_equal(loaded.mask, mask)
    assert np.array_equal(decode_planes(loaded)[:, mask], signs[:, mask])
    wide = scales.astype(np.float32)
    wanted = np.where(signs[0], wide[0], -wide[0]) + np.where(signs[1], wide[1], -wide[1])
    assert np.array_equal(decode_weights(loaded), np.where(mask, wanted, 0))
    assert np.array_equal(model.weights["fc/kernel"].to_array(), decode_weights(loaded).astype(dtype))


def spec_of(data):
    return unpack(from_bytes(data)[0])[1]


def test_what_is_as_usual_is_not_written(tmp_path):
    """A layer of plain signs has nothing but its shape, its code and its hash; and reads as if it had all."""
    layer = random_layer(
        np.random.default_rng(0), "a", (9, 9), XorNetwork.random(5, 20), 1, None, code="trained"
    )
    save(tmp_path / "file", CompressedModel({"a": layer}))
    assert len((tmp_path / "file").read_bytes()) < 450
    held = from_bytes((tmp_path / "file").read_bytes())[0]["packed"]
    spec = json.loads(zlib.decompressobj(-15).decompress(held.tobytes()[4:]))
    assert spec["layers"] == {"a": {"code": {"id": "trained"}, "sha256": [ANY], "shape": [9, 9]}}
    assert spec_of((tmp_path / "file").read_bytes())["layers"]["a"].keys() == LAYER_KEYS
    assert same_layer(load(tmp_path / "file").layers["a"], layer)


def test_a_setting_that_a_later_version_has_reads_as_its_default(tmp_path, monkeypatch):
    layer = random_layer(np.random.default_rng(0), "a", (9, 9), XorNetwork.random(5, 20))
    save(tmp_path / "file", CompressedModel({"a": layer}))
    before = code_defaults({"id": "xor"})
    monkeypatch.setattr(
        packed, "code_defaults", lambda code: {k: v for k, v in before.items() if k != "fill"}
    )
    with pytest.raises(ContainerError, match="code xor lacks 'fill'"):
        load(tmp_path / "file")


def test_large_tensors_are_tensors_of_their_own(tmp_path):
    """Any reader of safetensors finds them under their names; a narrowed one in its shorter form."""
    rng = np.random.default_rng(0)
    params = {
        "a/kernel": rng.standard_normal((60, 50), dtype=np.float32),
        "a/bias": rng.integers(0, 9, 5000).astype(np.float32),
        "b/bias": rng.integers(0, 9, 4096).astype(np.float32),
    }
    model = CompressedModel({}, params)
    save(tmp_path / "file", model)
    with safetensors.safe_open(tmp_path / "file", framework="numpy") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert held.keys() == {"packed", "params/a/kernel", "params/a/bias"}
    assert np.array_equal(held["params/a/kernel"], params["a/kernel"])
    assert held["params/a/bias"].dtype == np.uint8
    assert same_model(load(tmp_path / "file"), model)
    assert file_parts(tmp_path / "file")["params"] == 4 * 3000 + 5000 + 4096


def test_a_spec_that_would_be_deflated_too_well_is_stored(tmp_path):
    model = CompressedModel({}, {}, {"note": "a" * 100_000})
    assert MAX_RATIO * len(serialize(model)) > 100_000
    save(tmp_path / "file", model)
    assert load(tmp_path / "file").metadata == model.metadata


@dataclass(frozen=True)
class OddCode(SignsCode):
    """Settings of every type."""

    id = "odd"
    flag: bool = settings.setting(True, help="A flag.")
    share: float = settings.setting(0.5, help="A share.")
    names: tuple[str, ...] = settings.setting((), help="Names.")
    sizes: tuple[int, ...] = settings.setting((3,), help="Sizes.")
    limit: float | None = settings.setting(None, help="A limit.")


@pytest.mark.parametrize("limit", [None, 2, 0.25])
def test_a_setting_of_any_type_comes_back(tmp_path, monkeypatch, limit):
    monkeypatch.setitem(CODES._entries, "odd", OddCode)
    code = OddCode(flag=False, share=1, names=("a", "b"), sizes=(4, 5), limit=limit)
    planes, index = RNG.random((1, 6, 5)) < 0.5, encode_mask(RNG.random((6, 5)) < 0.3)
    layer = CompressedLayer("a", code.encode(planes, index.mask), index, np.ones((1, 1, 1), np.float32))
    save(tmp_path / "a", CompressedModel({"a": layer}))
    assert load(tmp_path / "a").layers["a"].code == code
    broken = replace(layer, values=replace(layer.values, code=OddCode(share="much")))
    save(tmp_path / "b", CompressedModel({"a": broken}))
    with pytest.raises(ContainerError, match="code odd lacks 'share', or it is not a number"):
        load(tmp_path / "b")


@given(names=st.lists(st.text("a/0") | st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
def test_layers_may_be_called_anything(tmp_path_factory, names):
    rng, net = np.random.default_rng(0), XorNetwork.random(3, 9)
    model = CompressedModel({name: random_layer(rng, name, (4, 5), net) for name in names})
    path = tmp_path_factory.mktemp("container") / "file"
    save(path, model)
    assert same_model(load(path), model)


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
    with pytest.raises(
        FileNotFoundError, match=r"expected a file that `xorjax compress` or `save` wrote: '.*nothing'"
    ):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"index": encode_mask(np.ones((37, 60), np.bool_), "bitmap")},
            r"its mask has shape \[37, 60\], expected",
        ),
        ({"scales": np.ones((1, 1, 37))}, "its scales are float64, expected one of F32, F16, BF16"),
        ({"scales": np.ones((0, 1, 37), np.float32)}, "do not broadcast"),
        ({"scales": np.ones((1, 37), np.float32)}, "do not broadcast"),
        ({"scales": np.ones((2, 1, 37), np.float32)}, "do not broadcast"),
        ({"scales": np.ones((1, 37, 1), np.float32)}, "do not broadcast"),
        ({"scales": np.full((1, 1, 1), np.inf, np.float32)}, "not finite"),
    ],
)
def test_parts_that_do_not_fit_make_no_layer(change, match):
    with pytest.raises(ValueError, match=match):
        replace(random_model().layers["fc1/kernel"], **change)


def test_values_that_load_would_refuse_make_no_layer():
    layer = random_layer(np.random.default_rng(0), "a", (9, 9), XorNetwork.random(5, 20))
    for setting, value in (("slicing_seed", 2**64), ("patch_block", 2**24 + 1), ("patch_format", "papr")):
        values = replace(layer.values, code=replace(layer.code, **{setting: value}))
        with pytest.raises(ContainerError, match=f"layer 'a': {setting} is '?{value}'?; it must be"):
            replace(layer, values=values)
    with pytest.raises(ContainerError, match="layer 'a': it has no bit plane"):
        CompressedLayer("a", replace(layer.values, n_planes=0), layer.index, np.ones((0, 1, 1), np.float32))


def test_names_that_clash_make_no_model():
    layers = random_model().layers
    with pytest.raises(ValueError, match="is filed under 'other'"):
        CompressedModel({"other": layers["fc1/kernel"]})
    with pytest.raises(ValueError, match="both a compressed layer and a parameter"):
        CompressedModel(layers, {"fc1/kernel": np.ones(3, np.float32)})


@pytest.mark.parametrize("name", ["__metadata__", "a\ud800"])
def test_names_that_no_file_can_hold_make_no_model(name):
    layer = random_model().layers["fc1/kernel"]
    with pytest.raises(ContainerError, match=f"layer: .*{re.escape(repr(name))}"):
        replace(layer, name=name)
    with pytest.raises(ContainerError, match=f"tensor: .*{re.escape(repr(name))}"):
        CompressedModel({}, {name: np.ones(3, np.float32)})


@pytest.mark.parametrize("metadata", [{"a": "\ud800"}, {"\ud800": "a"}, {"a": 3}, "made here"])
def test_metadata_that_no_file_can_hold_makes_no_model(metadata, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ContainerError, match="metadata"):
        CompressedModel({}, {}, metadata)


@pytest.mark.parametrize("dtype", [np.longdouble, np.complex128, object, "S3"])
def test_a_parameter_of_an_unknown_dtype_is_refused_by_name(dtype):
    with pytest.raises(ValueError, match=r"parameter 'bias': dtype .* is not one of BOOL"):
        serialize(CompressedModel({}, {"bias": np.ones(3, dtype)}))


def test_a_layer_with_too_many_weights_for_its_bytes_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "BITS_PER_BYTE", 1)
    layer = random_layer(
        np.random.default_rng(0), "a", (300, 200), XorNetwork.random(2, 100), mask_codec="golomb"
    )
    with pytest.raises(ValueError, match=r"planes of 60000 bits in .* bytes are over 1 a byte"):
        save(tmp_path / "file", CompressedModel({"a": layer}))
    assert not list(tmp_path.iterdir())


def test_what_is_no_model_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    model = random_model()
    for path, no_model, what in ((model, "file", "str"), (tmp_path / "file", model.params, "dict")):
        with pytest.raises(
            ContainerError, match=f"model is a {what}, expected what `compress` or `load` returns"
        ):
            save(path, no_model)


def test_an_unusable_path_is_a_container_or_os_error(tmp_path):
    (tmp_path / "empty").touch()
    with pytest.raises(ContainerError, match="empty: header"):
        load(tmp_path / "empty")
    with pytest.raises(OSError, match="directory"):
        load(tmp_path)


def test_reprs_say_what_is_held_and_what_it_costs():
    model = random_model()
    name, layer = next(iter(model.layers.items()))
    rate = sum(layer_bits(layer).values()) / layer.n_weights
    assert repr(layer) == (
        f"CompressedLayer({name!r}, {layer.shape}, {layer.code!r}, mask {layer.index.codec!r}, {rate:.4f} bits/weight)"
    )
    assert repr(layer.index) == (
        f"EncodedMask({layer.shape}, {layer.index.codec!r}, {layer.index.bits_per_weight:.4f} bits/weight)"
    )
    assert repr(model.weights).startswith(f"Weights(layers {name}")
    text, n_weights = repr(model), sum(layer.n_weights for layer in model.layers.values())
    assert f"{sum(bits(model).values()) / n_weights:.4f} bits/weight" in text
    assert "... (9)" in text
    few = replace(model, layers=dict([*model.layers.items()][:8]))
    assert all(held in repr(few) for held in (*few.layers, *few.params))
    assert len(text) < 500
    params = {f"layer{i}/bias": np.zeros(1, np.float32) for i in range(1000)}
    many = repr(CompressedModel({}, params))
    assert many == (
        "CompressedModel(layers none, params layer0/bias, layer1/bias, layer2/bias, layer3/bias, layer4/bias, "
        "layer5/bias, layer6/bias, layer7/bias, ... (1000))"
    )
