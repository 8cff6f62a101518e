"""Files of versions 1 to 3 open for ever, and docs/format.md is enough to read them."""

import ast
import json
import re
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import stranger
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import DTYPES, EXPECTED, FILES, GOLDEN, digests, layer, masked, model
from make_version1 import PATH
from make_version1 import model as version1
from serialized import serialize

from xorjax.codec.code import CODES
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.plane import METHODS
from xorjax.codec.slicing import SLICINGS
from xorjax.codec.trained import TrainedCode
from xorjax.codec.xor import XorCode
from xorjax.container import bits, decode_weights, load, verify
from xorjax.container.packed import unpack
from xorjax.container.parts import file_parts
from xorjax.container.tensors import from_bytes
from xorjax.masks import EXACT_CODECS, MASK_CODECS
from xorjax.settings import stated

GOLDEN_FILES = sorted(GOLDEN.glob("*.safetensors"))
by_name = pytest.mark.parametrize("path", GOLDEN_FILES, ids=lambda path: path.stem)


def check(data, model):
    """The stranger's masks, weights and parameters are the model's."""
    read = stranger.read(data)
    assert read["layers"].keys() == model.layers.keys()
    assert read["metadata"] == model.metadata
    for name, compressed in model.layers.items():
        assert np.array_equal(read["layers"][name]["mask"], compressed.mask)
        weights = read["layers"][name]["weights"]
        assert np.allclose(weights, decode_weights(compressed), rtol=1e-6, atol=0)
    assert read["params"].keys() == model.params.keys()
    for name, array in model.params.items():
        assert (read["params"][name].shape, read["params"][name].tobytes()) == (array.shape, array.tobytes())


def test_every_id_has_a_golden_file():
    of_version_1 = {
        *(f"patches-{id}" for id in PATCH_FORMATS),
        *(f"layout-{id}" for id in SLICINGS),
        *(f"mask-{id}" for id in MASK_CODECS if f"v2-mask-{id}" not in FILES),
    }
    assert {path.stem for path in GOLDEN_FILES} == {*FILES, *of_version_1, "params", "version1"}
    assert {name[len("v2-code-") :] for name in FILES if "-code-" in name} == CODES.keys()


@by_name
def test_a_golden_file_decodes_to_what_it_did(path):
    loaded = load(path)
    assert len(verify(path)) == sum(layer.values.n_planes for layer in loaded.layers.values())
    expected = json.loads(EXPECTED.read_text()).get(path.stem, {})
    found = digests(loaded)
    assert path == PATH or found.keys() == expected.keys()
    for name, said in expected.items():
        if "method" in said:  # all that was kept of a code of version 1
            assert (found[name].pop("code")["method"]) == said.pop("method")
        assert found[name] == said


@by_name
def test_a_golden_file_is_what_is_written_of_it(path):
    """Those of older versions are written as version 3. Another zlib may deflate the same spec to other bytes."""
    loaded, again = load(path), serialize(load(path))
    if path.stem.startswith("v3-"):
        (tensors, spec), (others, same) = (unpack(from_bytes(data)[0]) for data in (path.read_bytes(), again))
        assert spec == same
        assert tensors.keys() == others.keys()
        assert all(np.array_equal(tensors[name], others[name], equal_nan=True) for name in tensors)
    else:
        assert len(again) < path.stat().st_size
    check(again, loaded)


@by_name
def test_a_stranger_reads_a_golden_file(path):
    check(path.read_bytes(), load(path))


def test_version_1_holds_what_it_did():
    loaded, made = load(PATH), version1()
    assert serialize(loaded) == serialize(made)
    # The scales take 8 bits each where version 3 is written; here they are float32.
    assert file_parts(PATH)["scales"] == 224
    assert bits(loaded) == {"code_bits": 488, "patch_bits": 232, "index_bits": 1600, "scale_bits": 448}


xor_codes = st.builds(
    XorCode,
    n_in=st.sampled_from([3, 70]),
    n_out=st.sampled_from([75, 160]),
    seed=st.integers(0, 9),
    method=st.sampled_from(METHODS),
    patch_format=st.sampled_from(sorted(PATCH_FORMATS)),
    patch_block=st.integers(1, 5),
    slicing=st.sampled_from(SLICINGS),
    slicing_seed=st.integers(0, 2**64 - 1),
)
trained_codes = st.builds(
    lambda n_in, more, taps, **settings: TrainedCode(
        n_in, n_in + more, taps=taps and min(taps, n_in), **settings
    ),
    n_in=st.integers(1, 12),
    more=st.integers(0, 20),
    seed=st.integers(0, 2**64 - 1),
    taps=st.none() | st.integers(1, 12),
    slicing=st.sampled_from(["inputs", "inputs_last"]),
)
others = st.sampled_from([CODES[id]() for id in sorted(CODES.keys() - {"xor", "trained"})])


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    shape=st.lists(st.integers(1, 13), min_size=1, max_size=4).map(tuple),
    threshold=st.integers(1, 256),
    codec=st.sampled_from([None, *sorted(EXACT_CODECS)]),
    code=xor_codes | trained_codes | others,
    dtype=st.sampled_from(DTYPES),
)
def test_a_stranger_reads_any_file(seed, shape, threshold, codec, code, dtype):
    index = None if codec is None else masked(seed, threshold, shape, codec)
    made = model(layer("a", shape, code, index, seed + 1, 2, dtype=dtype))
    check(serialize(made), made)


def test_the_stranger_is_plain_and_short():
    for file in Path(__file__).parent.glob("stranger*.py"):
        tree = ast.parse(file.read_text())
        names = {n.names[0].name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import)}
        names |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert {name for name in names if not name.startswith("stranger")} <= {
            *sys.stdlib_module_names,
            "numpy",
        }
        assert sum(bool(line.strip()) for line in file.read_text().splitlines()) <= 100, file


def test_the_stranger_notices_damage():
    data = bytearray(PATH.read_bytes())
    data[-1] ^= 1
    with pytest.raises(AssertionError):
        stranger.read(bytes(data))


def test_the_document_knows_every_id():
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    settings = {f"{own.name}" for cls in CODES.values() for own in fields(cls) if stated(own).determines}
    for id in (*MASK_CODECS, *PATCH_FORMATS, *SLICINGS, *CODES, *settings):
        assert re.search(rf"`{id}`", text), id


def test_the_document_gives_every_default():
    """A file leaves settings out at them, so that they never change."""
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    for id, cls in CODES.items():
        for own in fields(cls):
            if stated(own).determines:
                default = json.dumps(own.default).strip('"')
                assert re.search(rf"`{own.name}`[^`]*\[{re.escape(default)}\]", text), (id, own.name, default)


def pcg64(seed, n):
    """The generator as the document defines it."""
    low, h, g = 2**32 - 1, 0x43B0D7E5, 0x8B51F9DD
    words = [seed >> 32 * i & low for i in range(max(1, -(-seed.bit_length() // 32)))]

    def hashed(v):
        nonlocal h
        v, h = v ^ h, h * 0x931E8875 & low
        v = v * h & low
        return v ^ v >> 16

    def mix(x, y):
        v = 0xCA01F9DD * x - 0x4973F715 * y & low
        return v ^ v >> 16

    pool = [hashed(words[i] if i < len(words) else 0) for i in range(4)]
    for i in range(4):
        for j in {0, 1, 2, 3} - {i}:
            pool[j] = mix(pool[j], hashed(pool[i]))
    for word in words[4:]:
        for j in range(4):
            pool[j] = mix(pool[j], hashed(word))
    s = []
    for i in range(8):
        v, g = pool[i % 4] ^ g, g * 0x58F38DED & low
        v = v * g & low
        s.append(v ^ v >> 16)
    a, b = (s[i + 1] << 96 | s[i] << 64 | s[i + 3] << 32 | s[i + 2] for i in (0, 4))

    def step(x):
        return (x * 0x2360ED051FC65DA44385DF649FCCF645 + 2 * b + 1) % 2**128

    state, outputs = step(2 * b + 1 + a), []
    for _ in range(n):
        state = step(state)
        v, r = state >> 64 ^ state % 2**64, state >> 122
        outputs.append((v >> r | v << 64 - r) % 2**64)
    return outputs


@given(seed=st.integers(0, 2**64 - 1) | st.integers(0, 2**200))
def test_the_generator_of_the_document_is_numpys(seed):
    assert pcg64(seed, 3) == np.random.PCG64(seed).random_raw(3).tolist()


def test_the_outputs_in_the_document():
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    assert all(f"0x{value:016x}" in text for value in pcg64(0, 2))
