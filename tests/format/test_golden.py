"""Files of version 1 open for ever, and docs/format.md is enough to read them."""

import ast
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import stranger
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import EXPECTED, FILES, GOLDEN, TINY, WORDS, digests, layer, masked, model
from make_version1 import PATH
from make_version1 import model as version1

from xorjax.codec.layout import LAYOUTS
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.xor import METHODS
from xorjax.container import bits, decode_weights, load, verify
from xorjax.container.write import serialize
from xorjax.masks import EXACT_CODECS, MASK_CODECS

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
    assert {path.stem for path in GOLDEN_FILES} == {*FILES, "version1"}
    assert {name for name in FILES if name.startswith("mask-")} == {f"mask-{id}" for id in MASK_CODECS}


@by_name
def test_a_golden_file_decodes_to_what_it_did(path):
    loaded = load(path)
    assert verify(path) == list(loaded.planes)
    if path != PATH:
        assert digests(loaded) == json.loads(EXPECTED.read_text())[path.stem]


@by_name
def test_a_golden_file_is_what_is_written_of_it(path):
    assert serialize(load(path)) == path.read_bytes()


@by_name
def test_a_stranger_reads_a_golden_file(path):
    check(path.read_bytes(), load(path))


def test_version_1_is_what_is_written():
    assert serialize(version1()) == PATH.read_bytes()
    assert bits(version1()) == {"code_bits": 488, "patch_bits": 232, "index_bits": 1600, "scale_bits": 1792}


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    shape=st.lists(st.integers(1, 13), min_size=1, max_size=4).map(tuple),
    threshold=st.integers(1, 256),
    net=st.sampled_from([TINY, WORDS]),
    codec=st.sampled_from(sorted(EXACT_CODECS)),
    choices=st.fixed_dictionaries(
        {
            "method": st.sampled_from(METHODS),
            "patch_format": st.sampled_from(sorted(PATCH_FORMATS)),
            "patch_block": st.integers(1, 5),
            "layout": st.sampled_from(LAYOUTS),
            "layout_seed": st.integers(0, 2**64 - 1),
        }
    ),
)
def test_a_stranger_reads_any_file(seed, shape, threshold, net, codec, choices):
    made = model(layer("a", masked(seed, threshold, shape, codec), net, seed + 1, 2, **choices))
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
    for id in (*MASK_CODECS, *PATCH_FORMATS, *LAYOUTS):
        assert re.search(rf"`{id}`", text), id


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
