"""The `xorjax` command: what it prints and writes, and how it refuses what it is given."""

import json
import os
import resource
import subprocess
import sys
import zlib
from dataclasses import fields, replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from xorjax import cli
from xorjax.codec.code import CODES
from xorjax.codec.signs import SignsCode
from xorjax.codec.trained import TrainedCode
from xorjax.codec.xor import XorCode
from xorjax.compression import CompressSpec, compress
from xorjax.container import bits, decode_weights, load, save, verify
from xorjax.container.narrow import narrow
from xorjax.container.tensors import from_bytes, to_bytes
from xorjax.data import Dataset, Split
from xorjax.masks import APPROXIMATE_CODECS, EXACT_CODECS
from xorjax.results.columns import STATED
from xorjax.settings import stated

RNG = np.random.default_rng(0)
TENSORS = {
    "enc.0.weight": RNG.standard_normal((60, 80), dtype=np.float32),
    "enc.0.bias": np.zeros(60, np.float32),
    "enc.1.weight": RNG.standard_normal((80, 40)).astype(np.float16),
    "conv.weight": RNG.standard_normal((8, 6, 3, 3)).astype(ml_dtypes.bfloat16),
    "double.weight": RNG.standard_normal((20, 30)),
    "position_ids": np.arange(7)[None],
    "flags": np.array([True, False]),
}
SETTINGS = ["--n-out", "96", "--prune-rate", "0.9"]
ZOO = Path(__file__).parent.parent / "zoo" / "lenet5-mnist-S0.95.safetensors"
N_WEIGHTS = 60 * 80 + 80 * 40 + 8 * 6 * 9 + 20 * 30


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory with model.safetensors, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    write({})
    return tmp_path


def write(changes, name="model.safetensors"):
    with open(name, "wb") as file:
        file.write(to_bytes({**TENSORS, **changes}, {"format": "pt"}))


def run(capsys, *arguments):
    """Exit code, standard output and standard error."""
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys, *arguments):
    code, out, _ = run(capsys, *arguments, "--json")
    assert out.count("\n") == 1
    return code, json.loads(out)


def compressed(capsys, *arguments):
    code, result = run_json(
        capsys, "compress", "model.safetensors", "small.xj", "--layers", "*.weight", *(arguments or SETTINGS)
    )
    assert code == 0, result
    return result


def test_compress_reports_what_the_file_holds(here, capsys):
    result = compressed(capsys)
    model = load("small.xj")
    assert [layer["name"] for layer in result["layers"]] == sorted(n for n in TENSORS if n.endswith("weight"))
    assert result["file_bytes"] == (here / "small.xj").stat().st_size
    assert {kind: result["totals"][f"n_{kind}"] for kind in bits(model)} == bits(model)
    assert result["totals"]["n_weights"] == N_WEIGHTS
    assert result["totals"]["bits_per_weight"] == pytest.approx(sum(bits(model).values()) / N_WEIGHTS)
    for layer in result["layers"]:
        weights = TENSORS[layer["name"]].astype(np.float64)
        decoded = decode_weights(model.layers[layer["name"]])
        error = np.linalg.norm(weights - decoded) / np.linalg.norm(weights)
        assert layer["relative_error"] == pytest.approx(error, rel=1e-5)
        assert layer["shape"] == list(weights.shape)
        assert layer["n_kept"] == np.count_nonzero(decoded) == round(0.1 * weights.size)
        assert layer["ratio"] == pytest.approx(
            8 * TENSORS[layer["name"]].nbytes / (layer["bits_per_weight"] * weights.size)
        )


def test_compress_prints_a_table(here, capsys):
    arguments = ("compress", "model.safetensors", "small.xj", "--layers", "*.weight", *SETTINGS)
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    assert out.count("\n") == 9
    scales = 32 * (80 + 40 + 3 + 30) / N_WEIGHTS
    total = sum(bits(load("small.xj")).values()) / N_WEIGHTS
    for text in (
        "enc.0.weight",
        "60x80",
        "8x6x3x3",
        "20:96",
        "bounded",
        "all layers",
        "3 other tensors kept",
        " bits per parameter of the whole model; ",
        f"the scales are {scales:.3f} of {total:.3f} bits/weight: --scale-dtype float16 or bfloat16 halves them",
        "--code signs would be smaller: signs and masks of the XOR layers would take 0.",
    ):
        assert text in out
    assert "halves them" not in run(capsys, *arguments, "--scale-dtype", "float16", "--force")[1]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (("--prune-rate", "0.9", "--n-out", "96"), "signs"),
        (("--prune-rate", "0.9", "--n-out", "1024", "--layers", "large"), None),
        (("--prune-rate", "0.5", "--n-out", "32"), "dense"),
        (("--prune-rate", "0.9", "--code", "signs"), None),
        (("--mask", "masks.safetensors", "--n-out", "32"), "signs"),
    ],
)
def test_a_plainer_code_that_would_be_smaller_is_told(here, capsys, settings, code):
    """By its bits, which are those that it takes."""
    write({"large": -RNG.random((300, 300), dtype=np.float32)})  # of one sign: a code word for many of them
    masks = {n: RNG.random(a.shape) < 0.5 for n, a in TENSORS.items() if n.endswith("weight")}
    (here / "masks.safetensors").write_bytes(to_bytes(masks, {}))
    layers = () if "--layers" in settings else ("--layers", "*.weight")
    command = ("compress", "model.safetensors", "a.xj", *layers, *settings)
    found = run_json(capsys, *command)[1]["plainer"]
    said = run(capsys, *command, "--force")[1]
    assert said.count("would be smaller") == (code is not None)
    if code is None:
        assert found is None
        return
    plain = ("--code", "signs")
    if code == "dense":
        settings, plain = (), ("--code", "dense", "--mask-codec", "none", "--prune-rate", "0")
    kept = settings[:2]
    assert f"{' '.join(plain)} would be smaller" in said
    total = run_json(capsys, "compress", "model.safetensors", "b.xj", *layers, *kept, *plain)[1]["totals"]
    assert found["code"] == code
    assert found["n_weights"] == total["n_weights"]
    assert found["n_bits"] == total["n_value_bits"] + total["n_index_bits"] < found["n_bits_now"]


def test_no_name_of_the_json_is_that_of_a_column_with_another_unit(here, capsys):
    result = compressed(capsys)
    for entry in (*result["layers"], result["totals"]):
        of_bits = {key for key in entry if key.endswith("_bits")}
        assert of_bits
        assert not of_bits & STATED.keys()


def test_value_bits_are_code_words_and_patches(here, capsys):
    """In every command that says what a file holds, all of them in bits."""
    wrote = compressed(capsys)
    np.save("mask.npy", RNG.random((30, 40)) < 0.1)
    encoded = run_json(capsys, "encode", "own.xj", "--care", "mask.npy", "--bits", "mask.npy")[1]
    for result in (wrote, run_json(capsys, "inspect", "small.xj")[1], encoded):
        for entry in (*result["layers"], result["totals"]):
            assert entry["n_value_bits"] == entry["n_code_bits"] + entry["n_patch_bits"]
            kinds = ("n_value_bits", "n_index_bits", "n_scale_bits")
            assert sum(entry[kind] for kind in kinds) == round(entry["bits_per_weight"] * entry["n_weights"])


def test_the_command_and_the_library_write_the_same(here, capsys):
    compressed(capsys, *SETTINGS, "--scale", "row", "--planes", "2", "--slicing", "interleaved")
    spec = CompressSpec(("*.weight",), 0.9, scale="row", n_planes=2, code=XorCode(n_out=96))
    by_library = compress(TENSORS, spec, {"format": "pt"})
    loaded = load("small.xj")
    for name, layer in by_library.layers.items():
        assert np.array_equal(decode_weights(loaded.layers[name]), decode_weights(layer))
    assert loaded.metadata == {"format": "pt"}
    assert loaded.params.keys() == by_library.params.keys() == {"enc.0.bias", "position_ids", "flags"}
    assert np.array_equal(loaded.params["position_ids"], TENSORS["position_ids"])


def test_kept_weights_are_the_largest_and_decode_to_their_signs(here, capsys):
    compressed(capsys)
    weights, layer = TENSORS["enc.0.weight"], load("small.xj").layers["enc.0.weight"]
    assert np.abs(weights[layer.mask]).min() >= np.abs(weights[~layer.mask]).max()
    decoded = decode_weights(layer)
    assert np.array_equal(decoded[layer.mask] > 0, weights[layer.mask] > 0)
    means = [
        np.abs(column[kept]).mean()
        for column, kept in zip(weights.T, layer.mask.T, strict=True)
        if kept.any()
    ]
    assert np.allclose(np.abs(decoded).max(axis=0)[layer.mask.any(axis=0)], means)


@pytest.mark.parametrize("codec", sorted(EXACT_CODECS))
def test_a_mask_of_ones_own(here, capsys, codec):
    masks = {n: RNG.random(a.shape) < 0.2 for n, a in TENSORS.items() if n.endswith("weight")}
    masks["conv.weight"] = masks["conv.weight"].view(np.uint8)
    (here / "masks.safetensors").write_bytes(to_bytes(masks, {}))
    compressed(capsys, "--mask", "masks.safetensors", "--mask-codec", codec, "--n-out", "96")
    layers = load("small.xj").layers
    assert all(np.array_equal(layers[name].mask, mask == 1) for name, mask in masks.items())
    assert {layer.index.codec for layer in layers.values()} == {codec}


@pytest.mark.parametrize("codec", sorted(APPROXIMATE_CODECS))
def test_a_mask_that_its_codec_chooses(here, capsys, codec):
    arguments = ["--layers", "enc.0.weight", *SETTINGS, "--mask-codec", codec]
    code, result = run_json(capsys, "compress", "model.safetensors", "small.xj", *arguments)
    assert code == 0
    assert result["layers"][0]["prune_rate"] == pytest.approx(0.9, abs=0.02)
    assert result["layers"][0]["mask_codec"] == codec
    assert verify("small.xj") == ["layers/enc.0.weight/planes/0"]


@pytest.mark.parametrize(
    "settings",
    [
        ("--n-in", "100", "--n-out", "160"),
        ("--method", "greedy", "--patch-format", "enumerative"),
        ("--patch-format", "blocked", "--patch-block", "3", "--slicing", "shuffled", "--slicing-seed", "9"),
        ("--planes", "3", "--scale", "tensor", "--seed", "4"),
    ],
)
def test_every_setting_reaches_the_file(here, capsys, settings):
    result = compressed(capsys, "--prune-rate", "0.9", *settings)
    given = dict(zip((s[2:].replace("-", "_") for s in settings[::2]), settings[1::2], strict=True))
    for layer in result["layers"]:
        assert {k: str(layer[k]) for k in given.keys() & layer.keys()} == {
            k: given[k] for k in given.keys() & layer.keys()
        }
    code = load("small.xj").layers["conv.weight"].code
    assert (code.slicing_seed, code.patch_block, code.seed) == (
        int(given.get("slicing_seed", 0)),
        int(given.get("patch_block", 16)),
        int(given.get("seed", 0)),
    )


def test_a_trained_code_of_torch_s_weights(here, capsys):
    """Slices along the inputs of (out, in, ...): the layers decode to the turned weights' own."""
    settings = ("--prune-rate", "0", "--mask-codec", "none", "--code", "trained", "--n-out", "9")
    compressed(capsys, *settings, "--scale", "row", "--slicing", "inputs_last")
    assert {layer["slicing"] for layer in run_json(capsys, "inspect", "small.xj")[1]["layers"]} == {
        "inputs_last"
    }
    spec = CompressSpec(("*",), 0.0, mask_codec=None, code=TrainedCode(n_out=9))
    for name, layer in load("small.xj").layers.items():
        (theirs,) = compress({name: np.moveaxis(TENSORS[name], 0, -1)}, spec).layers.values()
        turned = np.moveaxis(decode_weights(layer), 0, -1)
        np.testing.assert_allclose(turned, decode_weights(theirs), rtol=1e-6)
        assert np.array_equal(layer.values.streams["0/codes"], theirs.values.streams["0/codes"])


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_every_code_in_the_file(here, capsys, code, dtype):
    """Written, shown, verified and decoded: the signs are those of the weights, and the bits those of the streams."""
    result = compressed(capsys, "--prune-rate", "0.9", "--code", code, "--scale-dtype", dtype)
    assert {layer["code"] for layer in result["layers"]} == {code}
    assert {layer["scale_dtype"] for layer in result["layers"]} == {dtype}
    model = load("small.xj")
    assert {layer.code.id for layer in model.layers.values()} == {code}
    for name, layer in model.layers.items():
        kept = layer.mask & (decode_weights(layer) != 0)
        held = layer.code.project(np.where(layer.mask, TENSORS[name], 0))
        assert np.array_equal(decode_weights(layer)[kept] > 0, held[kept])
        assert kept.sum() == layer.mask.sum()
    assert run_json(capsys, "inspect", "small.xj")[1]["layers"][0]["code"] == code
    assert code in run(capsys, "inspect", "small.xj")[1]
    assert len(run_json(capsys, "verify", "small.xj")[1]["planes"]) == 4
    assert run_json(capsys, "decompress", "small.xj", "back.safetensors")[0] == 0


def test_every_setting_of_every_code_is_an_option(here, capsys):
    with pytest.raises(SystemExit):
        cli.main(["compress", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for cls in CODES.values():
        for own in fields(cls):
            assert f"--{own.name.replace('_', '-')} " in shown
            assert stated(own).help.rstrip(".") in shown


@pytest.mark.parametrize("code", CODES)
def test_without_a_mask(here, capsys, code):
    result = compressed(capsys, "--prune-rate", "0", "--mask-codec", "none", "--code", code)
    assert result["totals"]["n_index_bits"] == 0
    assert {(layer["mask_codec"], layer["prune_rate"]) for layer in result["layers"]} == {(None, 0)}
    layer = load("small.xj").layers[W]
    assert np.array_equal(decode_weights(layer) > 0, layer.code.project(TENSORS[W]))


def test_settings_by_layer(here, capsys):
    rules = [
        "enc.0*:prune_rate=0.8,code.n_in=12,n_planes=2,scale=tensor,code.n_out=none",
        "conv*:code=signs,mask_codec=golomb,scale_dtype=float16",
        "enc*:prune-rate=0.5",
    ]
    result = compressed(capsys, *SETTINGS, *(part for rule in rules for part in ("--per-layer", rule)))
    layers = {layer["name"]: layer for layer in result["layers"]}
    assert {n: round(layer["prune_rate"], 2) for n, layer in layers.items()} == {
        "conv.weight": 0.9, "double.weight": 0.9, "enc.0.weight": 0.8, "enc.1.weight": 0.5,
    }  # fmt: skip
    first, conv, other = (layers[f"{name}.weight"] for name in ("enc.0", "conv", "double"))
    assert (first["n_in"], first["n_planes"], first["n_scale_bits"]) == (12, 2, 64)
    assert first["n_out"] not in (None, 96)
    assert (conv["code"], conv["mask_codec"], conv["scale_dtype"]) == ("signs", "golomb", "float16")
    assert "n_in" not in conv
    assert (other["code"], other["n_in"], other["n_out"]) == ("xor", 20, 96)


def test_a_rule_that_matches_no_layer_is_refused(here, capsys):
    message = "per_layer: 'conv' matches no layer; the nearest is conv.weight"
    arguments = ("--layers", "*.weight", *SETTINGS, "--per-layer", "conv:n_planes=2")
    refused(here, capsys, message, "compress", "model.safetensors", "out.xj", *arguments)


def test_a_scale_that_does_not_fit_its_dtype_is_refused(here, capsys):
    write({W: TENSORS[W] * 1e6})
    arguments = ("--layers", W, *SETTINGS, "--scale-dtype", "float16")
    message = f"tensor '{W}': a scale does not fit float16"
    refused(here, capsys, message, "compress", "model.safetensors", "out.xj", *arguments)


@pytest.mark.parametrize("error", [ValueError("a bug"), RuntimeError("a bug"), KeyError("a bug")])
def test_a_bug_shows_its_traceback(here, capsys, monkeypatch, error):
    """What the library raises and does not call the user's error is none, whichever built-in error it is."""

    def broken(*args, **kwargs):
        raise error

    arguments = ("compress", "model.safetensors", "out.xj", "--layers", W, *SETTINGS)
    monkeypatch.setattr("xorjax.codec.xor.XorCode.encode", broken)
    with pytest.raises(type(error), match="a bug"):
        cli.main(arguments)
    assert nothing_left(here)


def test_a_decoder_that_is_wrong_is_a_bug(here, capsys, monkeypatch):
    right = SignsCode.decode
    monkeypatch.setattr(SignsCode, "decode", lambda self, encoded, mask: ~right(self, encoded, mask))
    arguments = (
        "compress",
        "model.safetensors",
        "out.xj",
        "--layers",
        W,
        "--prune-rate",
        ".9",
        "--code",
        "signs",
    )
    with pytest.raises(
        RuntimeError, match=r"'enc.0.weight': 480 bits do not decode to what was encoded, which is a bug"
    ):
        cli.main(arguments)
    assert nothing_left(here)


def test_n_out_is_chosen_for_each_layer(here, capsys):
    result = compressed(capsys, "--prune-rate", "0.8")
    assert all(layer["n_out"] % 32 == 0 and layer["n_out"] > 20 for layer in result["layers"])


def test_decompress_gives_the_checkpoint_back(here, capsys):
    compressed(capsys)
    code, result = run_json(capsys, "decompress", "small.xj", "back.safetensors")
    assert (code, result["n_params"]) == (0, 3)
    tensors, metadata = from_bytes((here / "back.safetensors").read_bytes())
    assert metadata == {"format": "pt"}
    assert {n: a.shape for n, a in tensors.items()} == {n: a.shape for n, a in TENSORS.items()}
    for name, layer in load("small.xj").layers.items():
        assert np.array_equal(tensors[name], decode_weights(layer))
    for name in ("enc.0.bias", "position_ids", "flags"):
        assert np.array_equal(tensors[name], TENSORS[name])
    code, _ = run_json(capsys, "decompress", "small.xj", "half.safetensors", "--dtype", "BF16")
    half, _ = from_bytes((here / "half.safetensors").read_bytes())
    assert code == 0
    assert half["conv.weight"].dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize("seed", [0, None])
def test_inspect_says_what_the_whole_file_is_spent_on(here, capsys, seed):
    """The weights of the layers and all else are parameters; a matrix that a seed gives takes nothing."""
    made = compressed(capsys)
    model, n = load("small.xj"), sum(array.size for array in TENSORS.values())
    save("again.xj", with_seed(model, seed))
    code, seen = run_json(capsys, "inspect", "again.xj")
    size = Path("again.xj").stat().st_size
    assert (code, seen["file_bytes"], seen["n_parameters"]) == (0, size, n)
    assert seen["file_bits_per_parameter"] == pytest.approx(8 * size / n)
    parts = {name: part["bytes"] for name, part in seen["parts"].items()}
    counts = bits(model)
    data = Path("again.xj").read_bytes()
    packed, inflate = from_bytes(data)[0]["packed"].tobytes(), zlib.decompressobj(-15)
    inflate.decompress(packed[4:])
    spec_bytes = len(packed) - len(inflate.unused_data)
    assert parts.pop("header") == 8 + int.from_bytes(data[:8], "little") + spec_bytes
    assert parts == {
        "codes": counts["code_bits"] // 8,
        "patches": counts["patch_bits"] // 8,
        "masks": counts["index_bits"] // 8,
        "scales": counts["scale_bits"] // 8,
        "shared": 0 if seed == 0 else 20 * 96 // 8,
        "params": sum(narrow(array)[0].nbytes for name, array in TENSORS.items() if name not in model.layers),
    }
    assert sum(part["bits_per_parameter"] for part in seen["parts"].values()) == pytest.approx(8 * size / n)
    if seed == 0:
        assert seen["parts"] == made["parts"]
    _, out, _ = run(capsys, "inspect", "again.xj")
    assert ("matrices M" in out) == (seed is None)
    for text in ("uncompressed parameters", f"{n:,} parameters", f"{size:,}", f"{8 * size / n:.4f}"):
        assert text in out


def with_seed(model, seed):
    """The model as if its matrix were drawn from this seed, or given."""
    layers = {
        name: replace(layer, values=replace(layer.values, code=replace(layer.code, seed=seed)))
        for name, layer in model.layers.items()
    }
    return replace(model, layers=layers)


def test_inspect_and_verify(here, capsys):
    wrote = compressed(capsys)
    code, seen = run_json(capsys, "inspect", "small.xj")
    assert code == 0
    assert seen["totals"] == {k: wrote["totals"][k] for k in seen["totals"]}
    assert seen["metadata"] == {"format": "pt"}
    assert {param["dtype"] for param in seen["params"]} == {"float32", "int64", "bool"}
    code, result = run_json(capsys, "verify", "small.xj")
    assert (code, result["ok"], len(result["planes"])) == (0, True, 4)
    assert "4 planes decoded" in run(capsys, "verify", "small.xj")[1]
    assert "enc.0.weight" in run(capsys, "inspect", "small.xj")[1]


def test_encode_planes_of_ones_own(here, capsys):
    planes, mask = RNG.random((2, 30, 40)) < 0.5, RNG.random((30, 40)) < 0.1
    np.save("mask.npy", mask.astype(np.uint8))
    np.save("bits.npy", planes)
    arguments = ("--care", "mask.npy", "--bits", "bits.npy", "own.xj", "--name", "fc", "--n-out", "150")
    code, result = run_json(capsys, "encode", *arguments)
    assert code == 0
    layer = load("own.xj").layers["fc"]
    assert np.array_equal(layer.mask, mask)
    assert np.array_equal(decode_weights(layer), np.where(mask, (2.0 * planes - 1).sum(axis=0), 0))
    assert result["layers"][0]["n_planes"] == 2
    np.save("bits.npy", planes[0])
    assert run_json(capsys, "encode", *arguments, "--force")[0] == 0


def nothing_left(here, *names):
    return {path.name for path in here.iterdir()} == {"model.safetensors", *names}


def refused(here, capsys, message, *arguments, left=()):
    """Exit code 1, one line without a traceback, nothing written; the same as JSON."""
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("xorjax: error: ")
    assert message in err
    assert nothing_left(here, *left)
    code, result = run_json(capsys, *arguments)
    assert (code, set(result)) == (1, {"error"})
    assert message in result["error"]


W = "enc.0.weight"


def changed(**where):
    array = TENSORS[W].copy()
    for place, value in where.items():
        array.flat[int(place[1:])] = value
    return array


@pytest.mark.parametrize(
    ("tensors", "layers", "message"),
    [
        ({W: changed(_81=np.nan)}, W, "model.safetensors: tensor 'enc.0.weight': 1 weight is NaN or infinite"),
        ({W: changed(_5=np.inf, _4799=-np.inf)}, W, "2 weights are NaN or infinite as float32 (the first at [0, 5])"),
        ({"double.weight": np.full((20, 30), 1e300)}, "double*", "'double.weight': 600 weights are NaN or infinite"),
        ({W: np.zeros((0, 80), np.float32)}, W, "'enc.0.weight' has shape [0, 80], expected 2 dimensions"),
        ({W: np.zeros((), np.float32)}, W, "tensor 'enc.0.weight' has shape [], expected 2 dimensions or more"),
        ({}, "*bias", "tensor 'enc.0.bias' has shape [60], expected 2 dimensions or more"),
        ({}, "position*", "tensor 'position_ids' has dtype int64, expected one of F16, BF16, F32, F64"),
        ({}, "fl*", "tensor 'flags' has dtype bool, expected one of F16, BF16, F32, F64"),
        ({}, "enc.2.weight", "layers: 'enc.2.weight' matches none of 7 tensors; nearest: enc."),
    ],
)  # fmt: skip
def test_bad_weights_are_refused(here, capsys, tensors, layers, message):
    write(tensors)
    refused(here, capsys, message, "compress", "model.safetensors", "out.xj", "--layers", layers, *SETTINGS)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (
            {W: np.ones((80, 60), bool)},
            "tensor 'enc.0.weight': its mask has shape [80, 60], expected [60, 80]",
        ),
        ({"other": np.ones((60, 80), bool)}, "masks: 'other' is the mask of no layer"),
        ({}, "tensor 'enc.0.weight' has no mask"),
        ({W: np.zeros((60, 80), bool)}, "tensor 'enc.0.weight': its mask keeps no weight"),
        (
            {W: np.full((60, 80), 2, np.uint8)},
            "tensor 'enc.0.weight': its mask is uint8, expected booleans or bytes",
        ),
        (
            {W: np.ones((60, 80), np.float32)},
            "tensor 'enc.0.weight': its mask is float32, expected booleans or bytes",
        ),
    ],
)
def test_bad_masks_are_refused(here, capsys, masks, message):
    (here / "masks.safetensors").write_bytes(to_bytes(masks, {}))
    arguments = ("compress", "model.safetensors", "out.xj", "--layers", W, "--mask", "masks.safetensors")
    refused(here, capsys, message, *arguments, left=["masks.safetensors"])


@pytest.mark.parametrize("prune_rate", ["0", "0.9999999", "0.5"])
def test_prune_rates_at_the_ends(here, capsys, prune_rate):
    result = compressed(capsys, "--prune-rate", prune_rate, "--n-out", "64")
    for layer in result["layers"]:
        assert layer["n_kept"] == max(1, layer["n_weights"] - round(float(prune_rate) * layer["n_weights"]))
    assert len(verify("small.xj")) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--prune-rate", "1"), "prune_rate is 1.0; it must be at least 0 and less than 1"),
        (("--prune-rate", "-0.1"), "prune_rate is -0.1"),
        (("--prune-rate", "nan"), "prune_rate is nan"),
        (("--prune-rate", ".9", "--mask", "m"), "not allowed with argument"),
        ((), "one of the arguments --prune-rate --mask is required"),
        (("--prune-rate", ".9", "--n-in", "129"), "n_in is 129; it must be at least 1 and at most 128"),
        (("--prune-rate", ".9", "--n-out", "20"), "n_out is 20; it must be more than n_in, 20"),
        (("--prune-rate", ".9", "--n-out", "many"), "argument --n-out: invalid int value: 'many'"),
        (("--prune-rate", ".9", "--planes", "0"), "n_planes is 0; it must be at least 1 and at most 8"),
        (("--prune-rate", ".9", "--scale", "chanel"), "scale is 'chanel'; it must be one of tensor, channel, row; the"),
        (("--prune-rate", ".9", "--method", "greddy"), "the nearest is greedy"),
        (("--prune-rate", ".9", "--patch-format", "papr"), "the nearest is paper"),
        (("--prune-rate", ".9", "--slicing", "rows"), "slicing is 'rows'; it must be one of"),
        (("--prune-rate", ".9", "--layout", "shuffled"), "--layout: it is called --slicing now: --slicing shuffled"),
        (("--prune-rate", ".9", "--layout-seed", "3"), "it is called --slicing-seed now: --slicing-seed 3"),
        (("--prune-rate", ".9", "--code", "sign"), "argument --code: invalid value: 'sign' (one of "),
        (("--prune-rate", ".9", "--code", "signs", "--n-in", "8"), "--n-in: the code signs has no such setting; it"),
        (("--prune-rate", ".9", "--taps", "21"), "taps is 21; it must be at most n_in, 20"),
        (("--prune-rate", ".9", "--n-out", "90", "--fill", "1"), "fill is 1.0; it must be null where n_out is given"),
        (("--prune-rate", ".9", "--scale-dtype", "f16"), "scale_dtype is 'f16'; it must be one of float32, float16,"),
        (("--prune-rate", ".9", "--mask-codec", "none"), "mask_codec is none, which keeps every weight; prune_rate"),
        (("--prune-rate", ".9", "--per-layer", "n_in=3"), "argument --per-layer: invalid value: 'n_in=3' (PATTERN:"),
        (("--prune-rate", ".9", "--per-layer", "a:n_in"), "argument --per-layer: invalid value: 'a:n_in' (PATTERN:"),
        (("--prune-rate", ".9", *(2 * ("--per-layer", "a:n_planes=2"))), "its pattern stands there twice"),
        (("--prune-rate", ".9", "--per-layer", "e*:n_in=3"), "(here 3) is not a setting; the nearest is code.n_in"),
        (("--prune-rate", ".9", "--per-layer", "e*:code.nin=3"), "(here 3) is not a setting; the nearest is code.n_in"),
        (("--prune-rate", ".9", "--per-layer", "e*:prune_rate=x"), "prune_rate is 'x'; it must be a number or null"),
        (("--mask", "m", "--per-layer", "e*:prune_rate=.5"), "one of prune_rate and masks is expected, and not both"),
        (("--prune-rate", ".9", "--mask-codec", "bitmpa"), "the nearest is bitmap"),
        (("--prune-rate", ".9", "--mask-option", "rank"), "argument --mask-option: invalid value: 'rank'"),
        (("--prune-rate", ".9", "--mask-option", "rank=4"), "mask_codec 'ans_rc' is exact and has no mask_options"),
        (
            ("--prune-rate", ".9", "--mask-codec", "lowrank", "--mask-option", "rnk=4"),
            "rnk (here 4) is not a setting of the mask_codec 'lowrank'; the nearest is rank",
        ),
        (
            ("--prune-rate", ".9", "--mask-codec", "codebook", "--mask-option", "beam=4"),
            "beam (here 4) is not a setting of the mask_codec 'codebook'",
        ),
        (("--mask", "m", "--mask-codec", "lowrank"), "'lowrank' chooses the mask itself and cannot store given masks"),
    ],
)  # fmt: skip
def test_wrong_usage_exits_with_2(here, capsys, arguments, message):
    code, out, err = run(
        capsys, "compress", "model.safetensors", "out.xj", "--layers", "*.weight", *arguments
    )
    assert (code, out) == (2, "")
    assert message in err
    assert nothing_left(here)


def test_files_that_are_not_there_or_in_the_way(here, capsys):
    command = ("compress", "model.safetensors")
    rest = ("--layers", W, *SETTINGS)
    refused(
        here, capsys, "nothing.safetensors: No such file", "compress", "nothing.safetensors", "out.xj", *rest
    )
    refused(here, capsys, "no/out.xj: its directory does not exist", *command, "no/out.xj", *rest)
    refused(here, capsys, f"{here}: it is a directory", *command, here, *rest)
    for command in ("inspect", "verify"):
        refused(here, capsys, "nothing.xj: No such file", command, "nothing.xj")
    command = ("compress", "model.safetensors")
    assert run(capsys, *command, "out.xj", *rest)[0] == 0
    refused(here, capsys, "out.xj: it exists already; --force", *command, "out.xj", *rest, left=["out.xj"])
    assert run(capsys, *command, "out.xj", "--layers", "*.weight", *SETTINGS, "--force")[0] == 0
    assert len(verify("out.xj")) == 4


def test_no_input_is_replaced(here, capsys):
    """Under whatever name, and with --force too."""
    compressed(capsys)
    (here / "masks.safetensors").write_bytes(to_bytes({W: np.ones((60, 80), bool)}, {}))
    (here / "m.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict.fromkeys(TENSORS, "model.safetensors")})
    )
    np.save("mask.npy", np.ones((3, 4), bool))
    np.save("bits.npy", np.ones((3, 4), bool))
    (here / "link").symlink_to("model.safetensors")
    (here / "hard").hardlink_to("small.xj")
    (here / "in").mkdir()
    for name in ("model.safetensors", "m.safetensors.index.json"):
        (here / "in" / name).write_bytes((here / name).read_bytes())
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    compress_ = ("--layers", W, *SETTINGS)
    index, of_masks = "m.safetensors.index.json", ("--layers", W, "--mask", "masks.safetensors")
    for command in (
        ("compress", "model.safetensors", "model.safetensors", *compress_),
        ("compress", "model.safetensors", "./link", *compress_),
        ("compress", "link", "model.safetensors", *compress_),
        ("compress", index, "model.safetensors", *compress_),
        ("compress", index, index, *compress_),
        ("compress", "in", "in/m.safetensors.index.json", *compress_),
        ("compress", "model.safetensors", "masks.safetensors", *of_masks),
        ("compress", "model.safetensors", ".", *compress_, "--jobs", "1"),
        ("decompress", "small.xj", "small.xj"),
        ("decompress", "small.xj", "hard"),
        ("encode", "mask.npy", "--care", "mask.npy", "--bits", "bits.npy"),
        ("encode", "bits.npy", "--care", "mask.npy", "--bits", "bits.npy"),
    ):
        for force in ((), ("--force",)):
            code, _, err = run(capsys, *command, *force)
            assert code == 1
            assert ": it is the input " in err
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.fixture
def few_files():
    """Few more files than now may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/dev/fd"))) + 40, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_tensors_than_files_may_be_open(here, capsys, few_files):
    """Kept, masked, in shards: nothing is held open."""
    kept = {f"bias.{i}": np.full(3, i, np.float32) for i in range(100)}
    layers = {f"{i}.weight": RNG.standard_normal((4, 8), dtype=np.float32) for i in range(60)}
    (here / "model.safetensors").write_bytes(to_bytes(kept | layers, {}))
    (here / "masks.safetensors").write_bytes(to_bytes({n: a > 0 for n, a in layers.items()}, {}))
    (here / "in").mkdir()
    for name, array in (kept | layers).items():
        (here / "in" / f"{name}.safetensors").write_bytes(to_bytes({name: array}, {}))
    places = {name: f"{name}.safetensors" for name in kept | layers}
    (here / "in" / "m.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    rest = ("--layers", "*.weight", "--mask", "masks.safetensors", "--code", "signs")
    for source in ("model.safetensors", "in"):
        assert run(capsys, "compress", source, "out.xj", *rest, "--force")[0] == 0
        assert run(capsys, "inspect", "out.xj")[0] == 0
        assert run(capsys, "decompress", "out.xj", "back.safetensors", "--force")[0] == 0
        back, _ = from_bytes((here / "back.safetensors").read_bytes())
        assert back.keys() == kept.keys() | layers.keys()
        assert all(np.array_equal(back[name], array) for name, array in kept.items())


def write_by_hand(name, tensors):
    """A safetensors file of bytes by name, each with its dtype and shape."""
    header, offset = {}, 0
    for tensor, (dtype, shape, data) in tensors.items():
        header[tensor] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    with open(name, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(data for *_, data in tensors.values()))


def read_by_hand(path):
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__")
    return {
        tensor: (
            entry["dtype"],
            entry["shape"],
            content[slice(*(start + at for at in entry["data_offsets"]))],
        )
        for tensor, entry in header.items()
    }


DTYPES_OF_OTHERS = {
    "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "C64": 64, "F4": 4, "F6_E2M3": 6, "U4": 4, "I2": 2,
}  # fmt: skip


def test_tensors_of_any_dtype_are_kept(here, capsys):
    """Byte by byte, whether NumPy knows the dtype or not, through every command."""
    weights = RNG.standard_normal((20, 30), dtype=np.float32)
    others = {
        f"other.{dtype}": (dtype, [3, 8], RNG.integers(0, 256, 3 * n_bits, dtype=np.uint8).tobytes())
        for dtype, n_bits in DTYPES_OF_OTHERS.items()
    }
    others["nothing"] = ("F4", [0, 2], b"")
    write_by_hand("model.safetensors", {"a.weight": ("F32", [20, 30], weights.tobytes())} | others)
    result = compressed(capsys, "--prune-rate", ".5", "--code", "signs")
    assert {param["name"]: param["bytes"] for param in result["params"]} == {
        name: len(data) for name, (_, _, data) in others.items()
    }
    assert run_json(capsys, "inspect", "small.xj")[1]["params"] == result["params"]
    assert len(verify("small.xj")) == 1
    again = here / "again.xj"
    save(again, load("small.xj"))
    assert again.read_bytes() == (here / "small.xj").read_bytes()
    assert run(capsys, "decompress", "small.xj", "back.safetensors")[0] == 0
    back = read_by_hand(here / "back.safetensors")
    assert back.pop("a.weight")[:2] == ("F32", [20, 30])
    assert back == others
    (here / "again.xj").unlink()
    for layer, message in (
        ("other.U4", "'other.U4' has dtype U4, expected one of F16"),
        ("other.F8*", "has dtype float8"),
    ):
        left = ["small.xj", "back.safetensors"]
        command = ("compress", "model.safetensors", "out.xj", "--layers", layer, *SETTINGS)
        refused(here, capsys, message, *command, left=left)


def test_what_is_no_checkpoint_is_told_as_that(here, capsys):
    rest = ("--layers", W, *SETTINGS)
    np.savez("w.npz", **{W: TENSORS[W]})
    (here / "w.py").write_text("import numpy\n")
    left = ["w.npz", "w.py"]
    for name in left:
        for command in (("compress", name, "out.xj", *rest), ("inspect", name)):
            refused(here, capsys, f"{name}: it is no safetensors file", *command, left=left)
    compressed(capsys)
    left.append("small.xj")
    message = "small.xj: it is a file of xorjax; decompress it first"
    refused(here, capsys, message, "compress", "small.xj", "out.xj", *rest, left=left)
    message = "missing.xj: No such file or directory, expected a file that `xorjax compress` or `save` wrote"
    refused(here, capsys, message, "inspect", "missing.xj", left=left)


@pytest.mark.parametrize("name", ["__metadata__", "a\udcff"])
def test_a_name_that_no_file_can_hold_is_wrong_usage(here, capsys, name):
    np.save("mask.npy", np.ones((3, 4), bool))
    code, out, err = run(
        capsys, "encode", "out.xj", "--care", "mask.npy", "--bits", "mask.npy", "--name", name
    )
    assert (code, out) == (2, "")
    assert "argument --name: " in err
    assert repr(name) in err
    assert nothing_left(here, "mask.npy")


def test_weights_too_small_for_a_dtype_are_refused(here, capsys):
    message = (
        "tensor 'double.weight': all weights are 0 as float32 (the largest is 1e-200), expected larger ones"
    )
    write({"double.weight": np.full((20, 30), 1e-200)})
    refused(
        here, capsys, message, "compress", "model.safetensors", "out.xj", "--layers", "double*", *SETTINGS
    )
    write({"double.weight": np.full((20, 30), 1e-9)})
    result = run_json(capsys, "compress", "model.safetensors", "small.xj", "--layers", "double*", *SETTINGS)[
        1
    ]
    assert result["layers"][0]["relative_error"] == pytest.approx(0.9**0.5)
    arguments = ("decompress", "small.xj", "back.safetensors", "--dtype", "F16")
    refused(here, capsys, "'double.weight': a weight does not fit F16", *arguments, left=["small.xj"])


def test_checkpoints_cut_short_or_damaged(here, capsys):
    data = (here / "model.safetensors").read_bytes()
    arguments = ("compress", "model.safetensors", "out.xj", "--layers", W, *SETTINGS)
    for end, message in (
        (4, "header: it ends"),
        (100, "header: it ends"),
        (len(data) - 5, "tensor 'enc.1.weight' ends at byte"),
    ):
        (here / "model.safetensors").write_bytes(data[:end])
        refused(here, capsys, f"model.safetensors: {message}", *arguments)
    (here / "model.safetensors").write_bytes(data.replace(b'"I64"', b'"i64"'))
    refused(here, capsys, "model.safetensors: tensor 'position_ids' has dtype 'i64'", *arguments)


@pytest.mark.parametrize("command", [("inspect",), ("verify",), ("decompress",), ("evaluate",)])
def test_compressed_files_cut_short_damaged_or_newer(here, capsys, command):
    compressed(capsys)
    data = (here / "small.xj").read_bytes()
    (here / "small.xj").unlink()
    flipped = bytearray(data)
    flipped[-30] ^= 4
    cases = [
        (data[:20], "bad.xj: header: it ends at byte"),
        (data[: len(data) // 2], "bad.xj: tensor 'packed' ends at byte"),
        (data[:-1], "bad.xj: tensor 'packed' ends at byte"),
        (bytes(flipped), "bad.xj: tensor '"),
        (data.replace(b'"format_version":"3"', b'"format_version":"4"'), "is '4', and this reads 1 to 3; a newer"),
        (data.replace(b'"format":"xorjax"', b'"format":"xorjay"', 1), "metadata: format is 'xorjay'"),
        (b"", "bad.xj: header: it ends at byte 8"),
        ((here / "model.safetensors").read_bytes(), "metadata: format is 'pt', not 'xorjax'"),
    ]  # fmt: skip
    for content, message in cases:
        (here / "bad.xj").write_bytes(content)
        out = ("out.safetensors",) if command == ("decompress",) else ()
        refused(here, capsys, message, *command, "bad.xj", *out, left=["bad.xj"])


@pytest.mark.parametrize(
    ("mask", "bits", "message"),
    [
        (
            np.ones((3, 4)),
            np.ones((3, 4), bool),
            "mask.npy: it holds float64, expected booleans or integers 0 and 1",
        ),
        (
            np.ones((3, 4), bool),
            np.full((3, 4), 2),
            "bits.npy: it holds int64, expected booleans or integers 0 and 1",
        ),
        (
            np.ones((3, 4), bool),
            np.ones((4, 3), bool),
            "bits.npy: the bits have shape [4, 3], expected [3, 4]",
        ),
        (np.ones((3, 4), bool), np.ones((0, 3, 4), bool), "bits.npy: the bits have shape [0, 3, 4]"),
        (
            np.zeros((3, 4), bool),
            np.ones((3, 4), bool),
            "mask.npy: the mask has shape [3, 4] and keeps 0 bits",
        ),
        (np.array(True), np.array(True), "mask.npy: the mask has shape []"),
    ],
)
def test_bad_planes_are_refused(here, capsys, mask, bits, message):
    np.save("mask.npy", mask)
    np.save("bits.npy", bits)
    left = ("mask.npy", "bits.npy")
    refused(here, capsys, message, "encode", "--care", "mask.npy", "--bits", "bits.npy", "out.xj", left=left)


def test_nothing_is_unpickled(here, capsys):
    np.save("mask.npy", np.array([{}], dtype=object), allow_pickle=True)
    (here / "text.npy").write_text("no array")
    for name in ("mask.npy", "text.npy"):
        arguments = ("encode", "--care", name, "--bits", name, "out.xj")
        refused(here, capsys, f"{name}: it is not an .npy file", *arguments, left=("mask.npy", "text.npy"))


def test_a_failed_write_leaves_nothing(here, capsys, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    arguments = ("compress", "model.safetensors", "out.xj", "--layers", W, *SETTINGS)
    refused(here, capsys, "out.xj: No space left on device", *arguments)


@pytest.mark.parametrize("command", ["compress", "decompress", "encode"])
def test_a_link_is_followed_and_what_is_no_file_stays(here, capsys, command):
    compressed(capsys)
    np.save("bits.npy", np.ones((30, 40), bool))
    arguments = {
        "compress": ("model.safetensors", "{}", "--layers", W, *SETTINGS),
        "decompress": ("small.xj", "{}"),
        "encode": ("--care", "bits.npy", "--bits", "bits.npy", "{}"),
    }[command]

    def made(out, *options):
        return run(capsys, command, *(argument.format(out) for argument in arguments), *options)

    (here / "far").mkdir()
    (here / "link").symlink_to("far/file")
    assert made("link")[0] == 0
    assert made("link")[0] == 1
    (here / "far" / "file").write_bytes(b"")
    assert made("link", "--force")[0] == 0
    assert (here / "link").is_symlink()
    assert (here / "far" / "file").stat().st_size > 0
    os.mkfifo("pipe")
    for out, what in (("pipe", "pipe"), ("/dev/null", "device")):
        code, _, told = made(out, "--force")
        assert (code, told) == (
            1,
            f"xorjax: error: {out}: it is a {what}, expected the name of a file\n",
        )
    assert (here / "pipe").is_fifo()
    assert [path.name for path in (here / "far").iterdir()] == ["file"]


def test_evaluate_wants_one_file(here, capsys):
    (here / "shards").mkdir()
    message = "shards: it is a directory, expected the one file of a model of the suite"
    refused(here, capsys, message, "evaluate", "shards", left=["shards"])


def test_evaluate_says_where_data_may_lie(here, capsys):
    code, _, told = run(capsys, "evaluate", ZOO, "--data", "none", "--cache", "cache")
    assert code == 1
    assert told.startswith("xorjax: error: no mnist in 'none': put its files train-images-idx3-ubyte.gz")
    assert told.endswith("; --data DIR says where else it lies\n")
    assert not (here / "cache").exists()


@pytest.mark.parametrize("given", ["", "relative", None])
def test_the_cache_of_evaluate_is_the_users(tmp_path, monkeypatch, given):
    monkeypatch.setenv("HOME", str(tmp_path))
    for own, place in ((given, tmp_path / ".cache"), (str(tmp_path / "xdg"), tmp_path / "xdg")):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if own is not None:
            monkeypatch.setenv("XDG_CACHE_HOME", own)
        args = cli.build_parser().parse_args(["evaluate", "model.xj"])
        assert args.cache == str(place / "xorjax")


def test_evaluate_needs_a_model_of_the_suite(here, capsys):
    compressed(capsys)
    message = "small.xj: metadata: 'model' is missing"
    refused(here, capsys, message, "evaluate", "small.xj", left=["small.xj"])


def test_shards(here, capsys):
    names = sorted(TENSORS)
    shards = {"m-1.safetensors": names[:3], "m-2.safetensors": names[3:]}
    (here / "shards").mkdir()
    for file, held in shards.items():
        (here / "shards" / file).write_bytes(to_bytes({n: TENSORS[n] for n in held}, {"format": "pt"}))
    index = {"weight_map": {name: file for file, held in shards.items() for name in held}}
    (here / "shards" / "m.safetensors.index.json").write_text(json.dumps(index))
    compressed(capsys)
    code, result = run_json(capsys, "compress", "shards", "sharded.xj", "--layers", "*.weight", *SETTINGS)
    assert code == 0
    assert (here / "sharded.xj").read_bytes() == (here / "small.xj").read_bytes()
    assert result["input_bytes"] == sum(
        path.stat().st_size for path in (here / "shards").glob("*.safetensors")
    )


@pytest.mark.parametrize(
    ("arguments", "allowed", "shown"),
    [(["--help"], set(), "--version"), (["compress", "--help"], {"numpy", "constriction"}, "--n-out")],
)
def test_help_waits_for_no_library(arguments, allowed, shown):
    """The options of `compress` are the settings of the codes, whose modules need NumPy."""
    code = (
        "import sys; from xorjax.cli import main\n"
        f"try: main({arguments})\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'numba', 'galois', 'numpy', 'flax', 'rich', 'constriction'}\n"
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stderr.split()) <= allowed
    assert shown in done.stdout


def test_inspect_and_decompress_wait_for_neither_jax_nor_numba(here, capsys):
    compressed(capsys)
    code = (
        "import sys; from xorjax.cli import main\n"
        "main(['verify', 'small.xj']); main(['decompress', 'small.xj', 'b.safetensors'])\n"
        "print(*sorted({'jax', 'numba', 'galois'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == []


@pytest.fixture
def suite_model(here, monkeypatch):
    """lenet300.xj, all kernels compressed, and a test split of 300 random images that replaces the real one."""
    from xorjax.models import create_model

    images = RNG.integers(0, 256, (300, 28, 28, 1), dtype=np.uint8)
    split = Split(images, RNG.integers(0, 10, 300).astype(np.int32))
    monkeypatch.setattr("xorjax.tasks.images.load_data", lambda config: Dataset(split, split, split))
    params = {path: np.asarray(value) for path, value in create_model("lenet300", 0)[1].items()}
    spec = CompressSpec(("*/kernel",), 0.8, code=XorCode(n_out=64), mask_codec="bitmap")
    return params, spec, split


def test_evaluate_measures_the_model_that_decodes(here, capsys, suite_model):
    params, spec, split = suite_model
    save("suite.xj", compress(params, spec, {"model": "lenet300", "dataset": "mnist"}))
    code, result = run_json(capsys, "evaluate", "suite.xj")
    assert code == 0
    layers = load("suite.xj").layers
    x = split.inputs.reshape(300, -1).astype(np.float32) / 255
    for i in (1, 2, 3):
        x = x @ decode_weights(layers[f"fc{i}/kernel"]) + params[f"fc{i}/bias"]
        x = np.maximum(x, 0) if i < 3 else x
    assert result["test_metric"] == result["test_accuracy"] == np.mean(x.argmax(axis=1) == split.targets)
    assert (result["task"], result["metric"]["name"], result["n_test"]) == ("images", "accuracy", 300)
    wanted = bits(load("suite.xj"))
    assert {kind: result["totals"][f"n_{kind}"] for kind in wanted} == wanted
    assert "lenet300 on mnist" in run(capsys, "evaluate", "suite.xj")[1]


def test_evaluate_refuses_what_is_not_the_model(here, capsys, suite_model):
    params, spec, _ = suite_model
    metadata = {"model": "lenet300", "dataset": "mnist"}
    cases = [
        (
            params,
            {**metadata, "model": "lenet30"},
            "there is no model 'lenet30'; it must be one of lenet5, lenet5_wide, lenet300, lstm, resnet8, resnet20, "
            "resnet32, transformer, wide_fc; the nearest is lenet300",
        ),
        ({**params, "fc4/bias": params["fc3/bias"]}, metadata, "are not those of lenet300: fc4/bias"),
        (
            {**params, "fc2/bias": np.zeros(99, np.float32)},
            metadata,
            "'fc2/bias' has shape [99], expected [100]",
        ),
        ({**params, "fc2/bias": np.zeros(100)}, metadata, "'fc2/bias' has dtype float64, expected float32"),
        (
            {**params, "fc3/kernel": np.ones((50, 20), np.float32)},
            metadata,
            "'fc3/kernel' has shape [50, 20]",
        ),
        (
            params,
            {**metadata, "dataset": "cats"},
            "metadata: 'cats' is no data set of images: mnist, fashion_mnist",
        ),
        (params, {**metadata, "task": "imgs"}, "there is no task 'imgs'"),
        (
            params,
            {**metadata, "task_settings": '{"augment": "turn"}'},
            "augment is 'turn'; it must be one of none",
        ),
        (params, {**metadata, "task_settings": '{"turns": 4}'}, "metadata: "),
        (params, {**metadata, "task_settings": "{"}, "metadata: "),
    ]
    for arrays, strings, message in cases:
        save("suite.xj", compress(arrays, spec, strings))
        refused(here, capsys, message, "evaluate", "suite.xj", left=["suite.xj"])


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_to_a_reader_that_has_enough_nothing_is_said(here, capsys, options):
    compressed(capsys)
    command = [sys.executable, "-m", "xorjax.cli", "inspect", "small.xj", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
