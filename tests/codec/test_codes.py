"""Every code: size by formula, exact round trip on awkward shapes, with a mask and without, and refusals."""

import dataclasses

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jaxtyping import TypeCheckError

from xorjax.codec import CODES, Code
from xorjax.codec.ans_signs import AnsSignsCode
from xorjax.codec.signs import SignsCode
from xorjax.masks import MASK_CODECS, encode_mask
from xorjax.masks.ans import encode_bernoulli
from xorjax.settings import problems

ids = pytest.mark.parametrize("id", CODES)


@st.composite
def layers(draw):
    """Odd shapes, one to three planes; any mask, or none, all kept, none kept, one kept, few kept."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=11))
    planes = draw(hnp.arrays(np.bool_, (draw(st.integers(1, 3)), *shape)))
    kind = draw(st.sampled_from(["any", "without", "all", "none", "one", "few"]))
    if kind == "without":
        return planes, None
    mask = np.full(shape, kind == "all")
    if kind == "any":
        mask = draw(hnp.arrays(np.bool_, shape))
    elif kind == "one":
        mask.ravel()[draw(st.integers(0, mask.size - 1))] = True
    elif kind == "few":
        mask.ravel()[draw(st.integers(0, mask.size - 1)) :: 37] = True
    return planes, mask


def held_by(code, planes):
    """The planes, or where the code holds only some the nearest of these."""
    return np.stack([code.project(plane) for plane in np.where(planes, np.float32(1), np.float32(-1))])


def kept(planes, mask):
    return planes.reshape(len(planes), -1) if mask is None else planes[:, mask]


def n_bytes(n_bits):
    return -(-n_bits // 8)


def sizes(id, planes, mask):
    """Bytes of each stream whose size a formula gives."""
    signs = kept(planes, mask)
    if id == "ans_signs":
        coded = [encode_bernoulli(of_plane) for of_plane in signs]
        return {f"{p}/{name}": len(s) for p, streams in enumerate(coded) for name, s in streams.items()}
    n = planes[0].size if id == "dense" else signs.shape[1]
    return {f"{p}/signs": n_bytes(n) for p in range(len(planes))}


@pytest.mark.parametrize("id", ["ans_signs", "dense", "signs"])
@given(layer=layers())
def test_size_by_formula(id, layer):
    encoded = CODES[id]().encode(*layer)
    assert {name: len(stream) for name, stream in encoded.streams.items()} == sizes(id, *layer)
    assert encoded.bits == {
        "code_bits": sum(8 * len(stream) for stream in encoded.streams.values()),
        "patch_bits": 0,
    }


@ids
@given(layer=layers())
def test_round_trip(id, layer):
    planes, mask = held_by(CODES[id](), layer[0]), layer[1]
    encoded = CODES[id]().encode(planes, mask)
    assert (encoded.shape, encoded.n_planes) == (planes.shape[1:], len(planes))
    stored = {name: np.frombuffer(stream.tobytes(), np.uint8) for name, stream in encoded.streams.items()}
    decoded = encoded.code.decode(dataclasses.replace(encoded, streams=stored), mask)
    assert decoded.shape == planes.shape
    assert decoded.dtype == bool
    np.testing.assert_array_equal(kept(decoded, mask), kept(planes, mask))
    if id == "dense":
        np.testing.assert_array_equal(decoded, planes)


@ids
def test_a_code_is_a_value(id):
    code = CODES[id]()
    assert isinstance(code, Code)
    assert code == CODES[id]()
    assert hash(code) == hash(CODES[id]())
    assert list(problems(code)) == []
    assert set(code.beside) <= {None, *MASK_CODECS}
    with pytest.raises(dataclasses.FrozenInstanceError):
        code.id = "other"


@ids
def test_a_missing_strange_or_short_stream_is_refused_by_name(id):
    rng = np.random.default_rng(0)
    planes, mask = np.tile(rng.random((2, 15, 31)) < 0.4, (1, 2, 1)), rng.random((30, 31)) < 0.6
    planes = held_by(CODES[id](), planes)
    encoded = CODES[id]().encode(planes, mask)
    streams = encoded.streams
    assert all(len(stream) for stream in streams.values())

    def decode(streams):
        return encoded.code.decode(dataclasses.replace(encoded, streams=streams), mask)

    for name in streams:
        with pytest.raises(ValueError, match=f"'{name}' is missing"):
            decode({other: s for other, s in streams.items() if other != name})
        for changed in (streams[name][:-1], np.append(streams[name], np.uint8(1))):
            with pytest.raises(ValueError, match=name[:2]):
                decode({**streams, name: changed})
    with pytest.raises(ValueError, match=f"'0/more' does not belong to the code '{id}'"):
        decode({**streams, "0/more": streams[next(iter(streams))]})


@pytest.mark.parametrize("id", ["dense", "signs"])
def test_a_bit_after_the_end_is_refused(id):
    encoded = CODES[id]().encode(np.ones((1, 3, 3), bool), None)
    assert encoded.streams["0/signs"].tolist() == [255, 1]
    damaged = dataclasses.replace(encoded, streams={"0/signs": np.array([255, 3], np.uint8)})
    with pytest.raises(ValueError, match="'0/signs' has a bit set after its 9 bits"):
        encoded.code.decode(damaged, None)


@ids
@pytest.mark.parametrize(
    ("shape", "mask_shape"), [((0, 3, 3), (3, 3)), ((1, 0, 3), (0, 3)), ((1, 3, 4), (4, 3))]
)
def test_planes_that_are_none_or_do_not_fit_are_refused(id, shape, mask_shape):
    with pytest.raises((ValueError, TypeCheckError), match=r"at least one weight|under a mask|mask"):
        CODES[id]().encode(np.zeros(shape, bool), np.zeros(mask_shape, bool))


def test_kept_signs_by_hand():
    mask = np.zeros(100, dtype=np.bool_)
    mask[[0, 1, 32, 64, 99]] = True
    encoded = SignsCode().encode((np.arange(100) % 2 == 1)[None], mask)
    assert encoded.streams["0/signs"].tolist() == [0b10010]


def test_values_cost_one_bit_a_kept_weight():
    mask = np.arange(4000).reshape(50, 80) % 20 == 0
    assert SignsCode().encode(np.zeros((1, 50, 80), bool), mask).bits == {"code_bits": 200, "patch_bits": 0}


@pytest.mark.parametrize("positive", [0.5, 0.2])
def test_ans_signs_beside_ans_cost_what_a_coder_of_ternary_symbols_costs(positive):
    rng = np.random.default_rng(1)
    mask, plane = rng.random((200, 300)) < 0.1, rng.random((200, 300)) < positive
    streams = AnsSignsCode().encode(plane[None], mask).streams | encode_mask(mask, "ans").streams
    symbols = np.where(mask, 1 + plane, 0).ravel().astype(np.int32)
    model = constriction.stream.model.Categorical(np.bincount(symbols).astype(np.float64), perfect=False)
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(symbols, model)
    words = sum(8 * len(stream) for name, stream in streams.items() if name.endswith("words"))
    assert abs(words - coder.num_bits()) <= 2 * 32


def test_the_rivals_shown_beside_every_point():
    """A report's columns depend on them."""
    assert {id: code.beside for id, code in CODES.items() if code.beside} == {
        "ans_signs": ("ans", "ans_rc"),
        "context_signs": ("ans_rc",),
        "dense": (None,),
        "signs": ("bitmap", "csr4", "csr5", "csr6", "csr7", "csr8", "golomb", "ans_rc"),
    }
