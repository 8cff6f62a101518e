"""Damaged files, and whole files with wrong content: each is refused, and file and tensor are named."""

import json
import re
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from container_models import random_layer, random_model, same_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serialized import serialize

from xorjax.container import CompressedModel, ContainerError, decode_weights, load
from xorjax.container.format import BITS_PER_BYTE
from xorjax.container.model import plane_sha256
from xorjax.container.narrow import narrowed
from xorjax.container.packed import entry_of, is_small, pack, unpack
from xorjax.container.tensors import Raw, from_bytes, to_bytes
from xorjax.gf2.network import XorNetwork

GOLDEN = Path(__file__).parents[1] / "format" / "golden"


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


def damage(rng, data, other):
    """A flipped bit, a cut, two swapped runs, a run of another file put in or over, or bytes added.

    Gives the damaged bytes, and where the flipped bit is.
    """
    kind = rng.choice(["flip", "cut", "swap", "splice", "grow"], p=[0.4, 0.2, 0.15, 0.15, 0.1])
    changed = bytearray(data)
    position = int(rng.integers(len(data)))
    if kind == "flip":
        changed[position] ^= 1 << int(rng.integers(8))
        return bytes(changed), position
    if kind == "cut":
        end = len(data) if rng.random() < 0.5 else position + 1 + int(rng.integers(64))
        return bytes(data[:position] + data[end:]), None
    if kind == "grow":
        more = rng.bytes(1 + int(rng.integers(64)))
        where = len(data) if rng.random() < 0.5 else position
        return bytes(data[:where] + more + data[where:]), None
    n = 1 + int(rng.integers(64))
    if kind == "splice":
        begin = int(rng.integers(len(other)))
        over = n if rng.random() < 0.5 else 0
        return bytes(data[:position] + other[begin : begin + n] + data[position + over :]), None
    a, b = sorted(rng.integers(len(data) - n, size=2).tolist())
    if a + n > b:
        b = min(a + n, len(data) - n)
    changed[a : a + n], changed[b : b + n] = data[b : b + n], data[a : a + n]
    return bytes(changed), None


def forgery(rng, data, other):
    """Damage to a stream, a shared array or the spec, every checksum made right again; and the part that is damaged."""
    tensors, spec = opened(data)
    if rng.random() < 0.4:
        places = [place for place in all_places(spec) if place[0] == "layers"]
        place = places[int(rng.integers(len(places)))]
        values = [
            0,
            1,
            2,
            3,
            7,
            2**31,
            2**47,
            2**64,
            -1,
            0.5,
            None,
            True,
            "",
            "care",
            "shuffled",
            "greedy",
            "signs",
            [],
            [3, 3],
            {},
        ]
        return forge(data, put(place, values[int(rng.integers(len(values)))])), place[0]
    names = sorted(
        name for name in tensors if not name.startswith("params/") and not name.endswith("/scales")
    )
    name = names[int(rng.integers(len(names)))]
    stream = tensors[name].tobytes()
    changed = damage(rng, stream, other)[0] if len(stream) > 64 else rng.bytes(int(rng.integers(12)))
    return forge(data, tensor(name, lambda array: np.frombuffer(changed, np.uint8))), name


def check_damages(path, files, n, seed, forged):
    """Every damaged file is refused, file and tensor named, or gives the weights that were saved."""
    rng, names = np.random.default_rng(seed), sorted(files)
    refused = 0
    for _ in range(n):
        name, other = (names[int(rng.integers(len(names)))] for _ in range(2))
        data, intact = files[name]
        position, part = None, ""
        if forged:
            changed, part = forgery(rng, data, files[other][0])
        else:
            changed, position = damage(rng, data, files[other][0])
        path.write_bytes(changed)
        try:
            loaded, message = load(path), ""
        except ContainerError as error:
            loaded, message = None, str(error)
        if loaded is None:
            refused += 1
            assert str(path) in message
            assert re.search("header|metadata|tensor|spec: ", message)
            if position is not None:
                assert (owner(data, position) or "") in message
        elif not forged:
            assert same_model(loaded, intact)
        elif "/mask/" not in part:  # another mask makes another layer, as other scales do
            assert same_weights(loaded, intact)
    return refused


def same_weights(a, b):
    """The layers' weights; what both files call by the same name, whatever settings of its encoding a spec claims."""
    return a.layers.keys() == b.layers.keys() and all(
        np.array_equal(decode_weights(a.layers[name]), decode_weights(b.layers[name])) for name in a.layers
    )


@pytest.fixture(scope="module")
def files(data):
    """The golden files of versions 2 and 3 that are not long, and one of random content: bytes and model."""
    golden = {path.stem: path for path in GOLDEN.glob("v[23]-*.safetensors") if path.stat().st_size < 16_000}
    return {"random": (data, random_model())} | {
        n: (p.read_bytes(), load(p)) for n, p in sorted(golden.items())
    }


@pytest.fixture(scope="module")
def written(files):
    """The same models, as this version writes them."""
    return {name: (serialize(model), model) for name, (_, model) in files.items()}


def test_1_500_damages_are_refused_or_harmless(tmp_path, files, written):
    path = tmp_path / "damaged.safetensors"
    assert check_damages(path, files, 1_000, seed=0, forged=False) > 970
    assert check_damages(path, written, 500, seed=1, forged=True) > 300


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_20_000_damages_are_refused_or_harmless(tmp_path, files, written):
    path = tmp_path / "damaged.safetensors"
    assert check_damages(path, files, 14_000, seed=2, forged=False) > 13_700
    assert check_damages(path, written, 6_000, seed=3, forged=True) > 3_600


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


def opened(data):
    """All tensors, and the spec with what it leaves out."""
    return unpack(from_bytes(data)[0])


def forge(data, change, enter=lambda entries, own: None):
    """Changes tensors and spec, then makes every entry and checksum right again: another writer's mistake.

    `enter` changes the entries of the tensors in the spec, and the tensors in the header.
    """
    (tensors, spec), metadata = opened(data), from_bytes(data)[1]
    change(tensors, spec, metadata)
    stored = {name: narrowed(array) for name, array in tensors.items()}
    own = {name: array for name, (array, _) in stored.items() if not is_small(array)}
    small = {name: array for name, (array, _) in stored.items() if is_small(array)}
    if isinstance(spec["tensors"], dict):
        spec["tensors"] = {name: entry_of(*of) for name, of in stored.items()}
        enter(spec["tensors"], own)
    return to_bytes(own | {"packed": pack(spec, small)}, metadata)


def put(keys, value):
    def change(tensors, spec, metadata):
        for key in keys[:-1]:
            spec = spec[key]
        spec[keys[-1]] = value

    return change


def update(keys, values):
    def change(tensors, spec, metadata):
        for key, value in values.items():
            put((*keys, key), value)(tensors, spec, metadata)

    return change


def drop(keys):
    def change(tensors, spec, metadata):
        for key in keys[:-1]:
            spec = spec[key]
        del spec[keys[-1]]

    return change


def tensor(name, value):
    return lambda tensors, spec, metadata: tensors.__setitem__(name, value(tensors.get(name)))


def string(name, value):
    return lambda tensors, spec, metadata: metadata.__setitem__(name, value)


FC1 = ("layers", "fc1/kernel")
FC2 = ("layers", "fc2/kernel")
PLANE, SCALES = "layers/fc1/kernel/planes/0", "layers/fc1/kernel/scales"
CODES = f"{PLANE}/codes"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (string("format", "xorjay"), "metadata: format is 'xorjay'"),
        (string("format_version", "4"), "format_version is '4', and this reads 1 to 3; a newer xorjax"),
        (string("format_version", "one"), "format_version is 'one'"),
        (string("extra", "1"), "the keys are"),
        (
            put((*FC1, "mask", "codec"), "huffman"),
            "'layers/fc1/kernel/mask': there is no mask codec 'huffman'",
        ),
        (put((*FC1, "mask", "codec"), "bitmap"), "'layers/fc1/kernel/mask/bits' is missing"),
        (put((*FC1, "mask"), "ans"), "layers/fc1/kernel lacks 'mask'"),
        (put((*FC1, "mask"), {}), "layers/fc1/kernel/mask lacks 'codec'"),
        (put((*FC1, "mask"), None), "'layers/fc1/kernel/mask/n_ones' does not belong to its mask codec"),
        (put((*FC1, "code"), "xor"), "layers/fc1/kernel lacks 'code'"),
        (put((*FC1, "code"), {}), "layers/fc1/kernel code lacks 'id'"),
        (
            put((*FC1, "code", "id"), "sign"),
            "there is no code 'sign'; it must be one of .*; the nearest is signs",
        ),
        (put((*FC1, "code"), {"id": "signs"}), "'layers/fc1/kernel/planes': stream '0/signs' is missing"),
        (
            put((*FC1, "code", "order"), 1),
            "layers/fc1/kernel code xor has no setting 'order'; a newer xorjax may",
        ),
        (
            put((*FC1, "code", "method"), "magic"),
            "code xor: method is 'magic'; it must be one of greedy, minimum",
        ),
        (put((*FC1, "code", "patch_format"), "none"), "code xor: patch_format is 'none'; it must be one of"),
        (put((*FC1, "code", "patch_block"), 0), "code xor: patch_block is 0; it must be at least 1"),
        (put((*FC1, "code", "patch_block"), True), "code xor lacks 'patch_block', or it is not an integer"),
        (put((*FC1, "code", "patch_block"), 2**31), "code xor: patch_block is 2147483648; it must be"),
        (put((*FC1, "code", "slicing"), "diagonal"), "code xor: slicing is 'diagonal'; it must be"),
        (put((*FC1, "code", "slicing_seed"), -1), "code xor: slicing_seed is -1; it must be"),
        (
            put((*FC1, "code", "slicing_seed"), 2**64),
            "code xor: slicing_seed is 18446744073709551616; it must",
        ),
        (put((*FC1, "code", "slicing_seed"), "7"), "code xor lacks 'slicing_seed', or it is not an integer"),
        (put((*FC1, "code", "seed"), "4"), "code xor lacks 'seed', or it is not an integer or null"),
        (put((*FC1, "code", "n_out"), 193), "shared array 'matrix': 480 bytes are not 193 rows of 20 bits"),
        (put((*FC1, "code", "n_out"), None), "'layers/fc1/kernel/planes': n_out"),
        (put((*FC1, "code", "n_out"), 20), "code xor: n_out is 20; it must be more than n_in, 20"),
        (put((*FC1, "code", "n_in"), 19), "shared array 'matrix': 480 bytes are not 192 rows of 19 bits"),
        (put((*FC1, "code", "n_in"), 129), "code xor: n_in is 129; it must be at least 1 and at most 128"),
        (put((*FC1, "code", "n_in"), 0), "code xor: n_in is 0; it must be"),
        (put((*FC1, "code", "patch_format"), "care"), "'layers/fc1/kernel/planes': stream"),
        (put((*FC1, "shape"), [-60, -37]), r"layers/fc1/kernel has shape \[-60, -37\]"),
        (put((*FC1, "shape"), [-(10**30)]), "layers/fc1/kernel has shape"),
        (put((*FC1, "shape"), [60, 47]), "'layers/fc1/kernel/mask': stream 'words' does not decode"),
        (put(("layers", "fc2/kernel", "shape"), [10, 37]), "'layers/fc2/kernel/scales': .* do not broadcast"),
        (put(("layers", "bare/kernel", "shape"), [60, 12]), "'layers/bare/kernel/planes': stream '0/codes'"),
        (put((*FC1, "shape"), [60.0, 37]), "layers/fc1/kernel has 'shape' with an entry"),
        (put((*FC1, "shape"), "60x37"), "layers/fc1/kernel lacks 'shape'"),
        (put((*FC1, "shape"), [0, 37]), r"layers/fc1/kernel has shape \[0, 37\]"),
        (
            put((*FC1, "shape"), [2**24, 37]),
            "layers/fc1/kernel has 1 planes of 620756992 weights; .* bits fit",
        ),
        (put((*FC1, "shape"), [1] * 65), "layers/fc1/kernel has shape"),
        (
            put((*FC1, "shared", "matrix"), 2),
            "layers/fc1/kernel uses tensor 'shared/2/matrix', which is missing",
        ),
        (
            put((*FC1, "shared", "matrix"), -1),
            "layers/fc1/kernel has 'shared' with 'matrix' -1, which is no count",
        ),
        (put((*FC1, "shared", "matrix"), 0), "shared array 'matrix': 50 bytes are not 192 rows"),
        (
            put((*FC1, "shared"), {}),
            "'layers/fc1/kernel/planes': n_out or the shared array 'matrix' is missing",
        ),
        (
            put((*FC2, "code", "seed"), 4),
            "spec: layers/fc2/kernel gives another 'matrix' than was saved: its SHA-256 is not '",
        ),
        (put((*FC2, "shared", "matrix", "sha256"), 3), "gives another 'matrix' .*: its SHA-256 is not 3"),
        (
            put((*FC2, "code", "seed"), None),
            "layers/fc2/kernel has no tensor for 'matrix', which its code's settings do not give",
        ),
        (put((*FC2, "code", "n_out"), 2**20), "fc2/kernel has no tensor for 'matrix', which its code's"),
        (put((*FC2, "code", "taps"), 1), "fc2/kernel gives another 'matrix'"),
        (put((*FC2, "shared", "matrix"), {}), "'shared' with 'matrix' {}, which is no count"),
        (put((*FC2, "shared", "matrix", "x"), 1), "'shared' with 'matrix' {.*}, which is no count"),
        (
            put((*FC2, "shared", "table"), {"sha256": ""}),
            "fc2/kernel has no tensor for 'table', which its code's",
        ),
        (put((*FC1, "shared", "table"), 0), "uses tensor 'shared/0/table', which is missing"),
        (put((*FC1, "sha256"), []), "'fc1/kernel': it has no bit plane"),
        (put((*FC1, "sha256"), ["", ""]), "'layers/fc1/kernel/scales': .* do not broadcast"),
        (
            put((*FC1, "sha256"), [""]),
            "'layers/fc1/kernel/planes/0' does not decode to the plane that was saved",
        ),
        (put((*FC1, "notes"), 0), "layers/fc1/kernel lacks 'notes'"),
        (put((*FC1, "notes"), {"n_bounded": -1}), "layers/fc1/kernel has 'notes' with 'n_bounded' -1"),
        (put((*FC1, "notes"), {"n_bounded": 10**6}), "'layers/fc1/kernel/planes': n_bounded"),
        (put((*FC1, "notes", "n_patches"), 10**6), "'layers/fc1/kernel/planes': n_patches"),
        (put((*FC1, "order"), 7), "layers/fc1/kernel does not have the keys code, mask, notes"),
        (drop((*FC1, "sha256")), "layers/fc1/kernel does not have the keys code, mask, notes"),
        (put(FC1, 7), "layers/fc1/kernel does not have the keys code, mask, notes"),
        (put(("layers",), []), "lacks 'layers'"),
        (put(("metadata",), {"a": 1}), "metadata is not a map"),
        (put(("tensors",), None), "the spec lacks 'tensors'"),
        (
            tensor(SCALES, lambda a: np.where(a == a.max(), np.nan, a)),
            "'layers/fc1/kernel/scales': .* not finite",
        ),
        (
            tensor(SCALES, lambda a: a.astype(np.float64)),
            "'layers/fc1/kernel/scales': .* are float64, expected one of",
        ),
        (tensor(SCALES, lambda a: a[0]), "'layers/fc1/kernel/scales': .* do not broadcast"),
        (tensor(CODES, lambda a: a[:-1]), "'layers/fc1/kernel/planes': stream '0/codes'"),
        (tensor(CODES, lambda a: np.append(a, a[:1])), "'layers/fc1/kernel/planes': stream '0/codes'"),
        (tensor(CODES, lambda a: a.astype(np.float32)), "'layers/fc1/kernel/planes/0/codes' is float32"),
        (tensor(CODES, lambda a: a.reshape(1, -1)), "'layers/fc1/kernel/planes/0/codes' is uint8"),
        (
            tensor("shared/1/matrix", lambda a: np.append(a, a[:1])),
            "shared array 'matrix': 481 bytes are not",
        ),
        (
            tensor("extra", lambda a: np.zeros(3, np.float32)),
            "tensor 'extra' belongs to no layer, is no parameter",
        ),
        (
            tensor("shared/7/extra", lambda a: np.zeros(3)),
            "tensor 'shared/7/extra' is used by no layer of the spec",
        ),
        (
            tensor("layers/x/scales", lambda a: np.zeros(3)),
            "tensor 'layers/x/scales' belongs to no layer of the spec",
        ),
        (
            tensor(f"{PLANE}/more", lambda a: np.zeros(3, np.uint8)),
            "stream '0/more' does not belong to the code 'xor'",
        ),
        (
            tensor("layers/fc1/kernel/mask/x", lambda a: np.zeros(3)),
            "kernel/mask/x' does not belong to its mask codec",
        ),
        (tensor("params/fc1/kernel", lambda a: np.zeros(3)), "'fc1/kernel' is both"),
        (lambda tensors, spec, metadata: tensors.pop(CODES), "stream '0/codes' is missing"),
        (lambda tensors, spec, metadata: tensors.pop(SCALES), f"'{SCALES}' is missing"),
        (
            lambda tensors, spec, metadata: tensors.pop("shared/0/matrix"),
            "'shared/0/matrix', which is missing",
        ),
    ],
)
def test_wrong_content_with_right_checksums_is_refused_by_name(tmp_path, data, change, match):
    path = tmp_path / "forged.safetensors"
    path.write_bytes(forge(data, change))
    with pytest.raises(ContainerError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value)


LARGE = "params/large"


def entry(name, **changed):
    return lambda entries, own: entries.setdefault(name, {}).update(changed)


@pytest.mark.parametrize(
    ("enter", "match"),
    [
        (lambda entries, own: own.pop(LARGE), f"tensor '{LARGE}' is missing"),
        (lambda entries, own: entries.pop(LARGE), f"tensor '{LARGE}' is not in the spec"),
        (lambda entries, own: own.update(extra=own[LARGE]), "tensor 'extra' is not in the spec"),
        (lambda entries, own: own.update({LARGE: own[LARGE][::-1]}), f"'{LARGE}' is damaged: its CRC-32 is"),
        (lambda entries, own: own.update({LARGE: own[LARGE][None]}), f"'{LARGE}' is damaged: its CRC-32 is"),
        (entry(LARGE, crc32=None), f"'{LARGE}' is damaged: its CRC-32 is not None"),
        (entry(LARGE, dtype="U8"), f"the entry of tensor '{LARGE}' has the keys "),
        (entry(LARGE, exponent=3), f"tensor '{LARGE}': float32 times 2\\^3 is no float32 in another form"),
        (entry("params/raw", exponent=0), "tensor 'params/raw' is F4 with exponent 0"),
        (entry(CODES, exponent=128), f"tensor '{CODES}': uint8 times 2\\^128"),
        (entry(CODES, exponent=2.5), f"tensor '{CODES}' is uint8 with exponent 2.5"),
        (entry(CODES, exponent=0), f"'{CODES}' is float32.*, not a stream of bytes"),
        (entry(CODES, dtype="F4"), f"tensor '{CODES}' is packed and has dtype F4, expected one of"),
        (entry(CODES, dtype="u8"), f"tensor '{CODES}' has dtype 'u8'"),
        (entry(CODES, shape=[2**40]), "tensor '.*' ends .* bytes behind tensor 'packed'"),
        (entry(CODES, shape=[2**62, 0, 2**62]), f"tensor '{CODES}' has shape"),
        (entry(CODES, shape=[1] * 65), f"tensor '{CODES}' has shape"),
        (entry(CODES, shape=[-1]), rf"tensor '{CODES}' has shape \[-1\]"),
        (entry(CODES, shape=3), f"tensor '{CODES}' has shape 3"),
        (entry("zeta", dtype="U8", shape=[1]), "tensor 'zeta' ends 1 bytes behind tensor 'packed'"),
        (entry("zeta", dtype="U8", shape=[0]), "tensor 'zeta' belongs to no layer"),
        (entry("zeta", shape=[0]), "the entry of tensor 'zeta' has the keys "),
        (lambda entries, own: entries.update({CODES: 3}), f"the entry of tensor '{CODES}' is not an object"),
        (lambda entries, own: entries.popitem(), "tensor 'packed' has .* bytes behind those of the spec's"),
    ],
)
def test_a_wrong_entry_of_a_tensor_is_refused_by_name(tmp_path, data, enter, match):
    """The last entry that `popitem` takes is of a parameter."""

    def change(tensors, spec, metadata):
        tensors[LARGE] = np.linspace(0, 1, 5000, dtype=np.float32)
        tensors["params/raw"] = Raw("F4", (3,), np.zeros(2, np.uint8))
        tensors["params/last"] = np.ones(3)

    path = tmp_path / "file.safetensors"
    path.write_bytes(forge(data, change, lambda entries, own: None))
    assert load(path).params.keys() >= {"large", "raw", "last"}
    path.write_bytes(forge(data, change, enter))
    with pytest.raises(ContainerError, match=match):
        load(path)


def with_packed(data, content):
    """The file with other bytes in "packed", behind their checksum."""
    whole = zlib.crc32(content).to_bytes(4, "little") + content
    return to_bytes({"packed": np.frombuffer(whole, np.uint8)}, from_bytes(data)[1])


def deflated(text):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(text) + deflate.flush()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "'packed': its spec is cut short"),
        (deflated(b"{}")[:-1], "'packed': its spec is cut short"),
        (b"\xff" * 9, "'packed' begins with no deflated spec"),
        (deflated(b"[" * 3), "spec: it is not JSON"),
        (deflated(b"[]"), "spec: it is not a JSON object"),
        (deflated(b"\xff{}"), "spec: it is not JSON"),
        (deflated(b"[" * 10**6), "'packed': its spec is longer than any"),
    ],
)
def test_a_packed_tensor_without_a_spec_is_refused(tmp_path, data, content, match):
    path = tmp_path / "file.safetensors"
    path.write_bytes(with_packed(data, content))
    with pytest.raises(ContainerError, match=match):
        load(path)


@pytest.mark.parametrize("packed", [None, np.zeros(3, np.uint8), np.zeros(9), np.zeros((9, 1), np.uint8)])
def test_a_file_without_a_packed_tensor_is_refused(tmp_path, data, packed):
    path = tmp_path / "file.safetensors"
    path.write_bytes(to_bytes({} if packed is None else {"packed": packed}, from_bytes(data)[1]))
    with pytest.raises(ContainerError, match="tensor 'packed' is "):
        load(path)


def test_a_missing_or_foreign_tensor_of_version_2_is_named(tmp_path):
    path, data = tmp_path / "file.safetensors", (GOLDEN / "v2-mask-csr6.safetensors").read_bytes()
    tensors, metadata = from_bytes(data)
    signs, scales = "layers/0/planes/0/signs", "layers/0/scales"
    path.write_bytes(to_bytes({name: a for name, a in tensors.items() if name != signs}, metadata))
    with pytest.raises(ContainerError, match=f"tensor '{signs}' is missing"):
        load(path)
    path.write_bytes(to_bytes({**tensors, "extra": tensors[signs]}, metadata))
    with pytest.raises(ContainerError, match="tensor 'extra' is not in the spec"):
        load(path)
    path.write_bytes(to_bytes({**tensors, scales: tensors[scales].reshape(1, -1)}, metadata))
    with pytest.raises(ContainerError, match=f"tensor '{scales}' is damaged"):
        load(path)
    for changed, match in (
        ({"spec": metadata["spec"] + " "}, "spec does not have the SHA-256"),
        ({"format_version": "3"}, "metadata: the keys are"),
        ({"more": ""}, "metadata: the keys are"),
    ):
        path.write_bytes(to_bytes(tensors, metadata | changed))
        with pytest.raises(ContainerError, match=match):
            load(path)


@pytest.mark.parametrize("plane", ["fc1/kernel/planes/0", "signs/kernel/planes/1", "dense/kernel/planes/0"])
def test_a_plane_that_is_not_the_one_saved_is_named(tmp_path, data, plane):
    path = tmp_path / "forged.safetensors"
    (stream,) = (
        name for name in opened(data)[0] if re.fullmatch(f"layers/{plane}/(codes|signs|dense|bits)", name)
    )
    path.write_bytes(forge(data, tensor(stream, lambda bits: bits ^ (np.arange(len(bits)) == 3))))
    with pytest.raises(ContainerError, match=f"'layers/{plane}' does not decode to the plane that was saved"):
        load(path)


def all_places(value, path=()):
    """Every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from all_places(child, (*path, key))


PLACES = [place for place in all_places(opened(serialize(random_model()))[1]) if place[0] != "tensors"]
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


def hostile_files(data):
    """Small files that claim much more than they hold."""
    start = 8 + int.from_bytes(data[:8], "little")
    yield "header", (2**63).to_bytes(8, "little") + data[8:]
    yield "offsets", raw_header({"a": {"dtype": "U8", "shape": [2**50], "data_offsets": [0, 2**50]}})
    yield "dimensions", raw_header({"a": {"dtype": "U8", "shape": [1] * 1000, "data_offsets": [0, 1]}})
    yield "overflow", raw_header({"a": {"dtype": "F64", "shape": [2**62, 0, 2**62], "data_offsets": [0, 0]}})
    yield "nesting", raw_header({})[:8] + b"[" * (start - 8) + data[start:]
    for sizes in ([2**47, 2**47], [2**40, 1], [10**9], [2**25, 4]):
        yield f"shape {sizes}", forge(data, put((*FC1, "shape"), sizes))
    for key, value in (("n_out", 2**40), ("n_in", 2**40), ("n_out", 2**20), ("slicing", "shuffled")):
        yield f"{key} {value}", forge(data, put((*FC1, "code", key), value))
    # A drawn matrix is in no tensor.
    for drawn in (
        {"n_in": 1, "n_out": 2**20},
        {"n_in": 128, "n_out": 2**13},
        {"n_in": 128, "n_out": 2**13, "taps": 2},
        {"n_in": 128, "n_out": 2**20},
    ):
        yield f"drawn {drawn}", forge(data, update((*FC2, "code"), drawn))
    yield (
        "deflated",
        with_packed(data, deflated(b'{"layers":{"a":[' + b"[]," * 10**6 + b"[]]}}") + bytes(9_000)),
    )
    for name in (CODES, SCALES):
        for shape in ([2**40], [2**62, 0], [10**9]):
            yield f"{name} {shape}", forge(data, lambda *_: None, entry(name, shape=shape))
    for kernel in ("bare", "signs", "open", "dense"):
        for sizes in ([2**40, 1], [10**6, 7]):
            yield f"{kernel} {sizes}", forge(data, put(("layers", f"{kernel}/kernel", "shape"), sizes))
    for shape in ((64, 1), (1, 8_000)):
        yield f"trained {shape}", long_slices(shape)
    yield "planes", forge(data, put((*FC1, "sha256"), ["0" * 64] * 10_000))
    for layer, plane in (("fc1", 0), ("conv1", 1), ("fc2", 0), ("bare", 0)):
        counts = f"layers/{layer}/kernel/planes/{plane}/patch_counts"
        for first in (0, 1, 30, 31, 32, 64, 255):
            for rest in (0, 255):
                yield (
                    f"{counts} {first} {rest}",
                    forge(data, tensor(counts, lambda a, f=first, r=rest: full(f, r))),
                )
    for name in ("fc1/kernel/mask/n_ones", "fc2/kernel/mask/header", "fc2/kernel/mask/quotients"):
        yield name, forge(data, tensor(f"layers/{name}", lambda a: np.full(len(a), 255, np.uint8)))


def long_slices(shape):
    """A layer in a trained code of the largest table, whose slices are longer than it has inputs."""
    layer = random_layer(np.random.default_rng(0), "a", shape, None, mask_codec=None, code="trained")

    def change(tensors, spec, metadata):
        spec["layers"]["a"]["code"] |= {"n_in": 12, "n_out": 4096}
        tensors["layers/a/planes/0/codes"] = np.zeros(-(-shape[1] * 12 // 8), np.uint8)

    return forge(serialize(CompressedModel({"a": layer})), change)


def full(first, rest):
    return np.concatenate([[np.uint8(first)], np.full(4_000, rest, np.uint8)])


def raw_header(entries):
    text = json.dumps({"__metadata__": {}, **entries}).encode()
    return len(text).to_bytes(8, "little") + text


def test_hostile_claims_cost_little_memory(tmp_path, data):
    path = tmp_path / "hostile.safetensors"
    for what, hostile in hostile_files(data):
        path.write_bytes(hostile)
        tracemalloc.start()
        try:
            with pytest.raises(ContainerError, match=re.escape(str(path))):
                load(path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 24 * 2**20, what


def test_memory_is_bounded_by_the_files_size(tmp_path):
    """The worst that a small file can honestly be: a mask in no bytes that keeps everything, and a tall network."""
    net = XorNetwork.from_matrix(np.ones((60_000, 1), np.uint8))
    layer = random_layer(np.random.default_rng(0), "a", (1, 1), net, mask_codec="ans")
    data, path = serialize(CompressedModel({"a": layer})), tmp_path / "tall.safetensors"

    def tall(n_slices):
        def change(tensors, spec, metadata):
            n = 60_000 * n_slices
            sha256 = [plane_sha256(np.zeros(n, np.bool_))[:16]]
            spec["layers"]["a"] |= {"shape": [n, 1], "sha256": sha256, "notes": {}}
            tensors["layers/a/planes/0/codes"] = np.zeros(-(-n_slices // 8), np.uint8)
            tensors["layers/a/planes/0/patch_counts"] = np.zeros(1, np.uint8)
            tensors["layers/a/planes/0/patch_positions"] = np.zeros(0, np.uint8)
            tensors["layers/a/mask/n_ones"] = np.frombuffer(n.to_bytes(8, "little"), np.uint8)
            tensors["layers/a/mask/words"] = np.zeros(0, np.uint8)

        return forge(data, change)

    path.write_bytes(tall(200))
    tracemalloc.start()
    try:
        assert load(path).layers["a"].n_weights == 12_000_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 * BITS_PER_BYTE * path.stat().st_size
    path.write_bytes(tall(2_000))
    with pytest.raises(
        ContainerError, match=r"1 planes of 120000000 weights; .* bits fit a file of its size"
    ):
        load(path)
