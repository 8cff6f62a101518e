"""Every baseline: size by formula, exact round trip on awkward shapes, reload from bytes, refusals."""

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorjax.codec import BASELINES, stream_bits
from xorjax.masks import EXACT_CODECS

ids = pytest.mark.parametrize("id", sorted(BASELINES))


@st.composite
def layers(draw):
    """Odd shapes, one to three planes; any mask, or all kept, none kept, one kept, few kept."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=11))
    planes = draw(hnp.arrays(np.bool_, (draw(st.integers(1, 3)), *shape)))
    kind = draw(st.sampled_from(["any", "all", "none", "one", "few"]))
    mask = np.full(shape, kind == "all")
    if kind == "any":
        mask = draw(hnp.arrays(np.bool_, shape))
    elif kind == "one":
        mask.ravel()[draw(st.integers(0, mask.size - 1))] = True
    elif kind == "few":
        mask.ravel()[draw(st.integers(0, mask.size - 1)) :: 37] = True
    return planes, mask


def n_bytes(n_bits):
    return -(-n_bits // 8)


def sizes(id, planes, mask):
    """Bytes of each stream whose size a formula gives."""
    q, n, kept = len(planes), mask.size, int(mask.sum())
    codes = {f"code/{p}": n_bytes(kept) for p in range(q)}
    if id == "dense":
        return {f"code/{p}": n_bytes(n) for p in range(q)}
    if id == "bitmap_signs":
        return {"index/bits": n_bytes(n), **codes}
    if id in ("golomb_signs", "ans_rc_signs"):
        index = EXACT_CODECS[id.removesuffix("_signs")].encode(mask)
        return {f"index/{name}": len(stream) for name, stream in index.items()} | codes
    if id == "csr5":
        entries, run = 0, 0
        for is_kept in mask.ravel():
            if run == 31:
                entries, run = entries + 1, 0
            entries, run = (entries + 1, 0) if is_kept else (entries, run + 1)
        # A filler is written only on the way to a kept weight.
        tail = n - 1 - int(np.flatnonzero(mask)[-1]) if kept else n
        entries -= max(tail - 1, 0) // 31
        return {"index/n_entries": 8, "index/gaps": n_bytes(5 * entries), **codes}
    bernoulli = EXACT_CODECS["ans"].encode
    return {"index/n_ones": 8, "index/words": len(bernoulli(mask)["words"])} | {
        f"code/{p}/{name}": len(stream)
        for p in range(q)
        for name, stream in bernoulli(planes[p][mask]).items()
    }


@ids
@given(layer=layers())
def test_size_by_formula(id, layer):
    streams = BASELINES[id].encode(*layer)
    assert {name: len(stream) for name, stream in streams.items()} == sizes(id, *layer)
    bits = stream_bits(streams)
    assert sum(bits.values()) == sum(8 * len(stream) for stream in streams.values())


@ids
@given(layer=layers())
def test_round_trip(id, layer):
    planes, mask = layer
    codec = BASELINES[id]
    decoded, kept = codec.decode(codec.encode(planes, mask), len(planes), mask.shape)
    assert decoded.shape == planes.shape
    assert np.array_equal(decoded[:, mask], planes[:, mask])
    if id == "dense":
        assert kept.all()
        assert np.array_equal(decoded, planes)
    else:
        assert np.array_equal(kept, mask)


@ids
@given(layer=layers())
def test_reload_from_bytes(id, layer):
    planes, mask = layer
    codec = BASELINES[id]
    stored = {name: stream.tobytes() for name, stream in codec.encode(planes, mask).items()}
    streams = {name: np.frombuffer(stream, dtype=np.uint8) for name, stream in stored.items()}
    decoded, _ = codec.decode(streams, len(planes), mask.shape)
    assert np.array_equal(decoded[:, mask], planes[:, mask])


@ids
def test_a_missing_or_short_stream_is_refused_by_name(id):
    rng = np.random.default_rng(0)
    planes, mask = rng.random((2, 30, 31)) < 0.4, rng.random((30, 31)) < 0.3
    codec = BASELINES[id]
    streams = codec.encode(planes, mask)
    for name in streams:
        with pytest.raises(ValueError, match=name):
            codec.decode({other: s for other, s in streams.items() if other != name}, 2, mask.shape)
        if len(streams[name]):
            with pytest.raises(ValueError, match=name.removeprefix("index/")):
                codec.decode({**streams, name: streams[name][:-1]}, 2, mask.shape)


def test_csr_refuses_a_gap_that_leaves_the_layer():
    codec = BASELINES["csr5"]
    streams = codec.encode(np.ones((1, 40), dtype=np.bool_), np.arange(40) == 39)
    with pytest.raises(ValueError, match="index/: stream 'gaps' reaches weight 39 of 39"):
        codec.decode(streams, 1, (39,))


def test_csr_entries_by_hand():
    mask = np.zeros(100, dtype=np.bool_)
    mask[[0, 1, 32, 64, 99]] = True
    planes = (np.arange(100) % 2 == 1)[None]
    streams = BASELINES["csr5"].encode(planes, mask)
    # gaps of 0, 0, 30, 31 and 34 pruned weights: the fourth and fifth need a filler each
    fields = [0, 0, 30, 31, 0, 31, 3]
    stream = sum(field << (5 * i) for i, field in enumerate(fields)).to_bytes(5, "little")
    assert streams["index/n_entries"].tolist() == [7, 0, 0, 0, 0, 0, 0, 0]
    assert streams["index/gaps"].tobytes() == stream
    assert streams["code/0"].tolist() == [0b10010]


@pytest.mark.parametrize("id", ["bitmap_signs", "csr5", "golomb_signs", "ans_rc_signs"])
def test_values_cost_one_bit_a_kept_weight(id):
    mask = np.arange(4000).reshape(50, 80) % 20 == 0
    streams = BASELINES[id].encode(np.zeros((1, 50, 80), dtype=np.bool_), mask)
    bits = stream_bits(streams)
    assert bits["code_bits"] == 200
    if id == "bitmap_signs":
        assert bits["index_bits"] == 4000


def test_the_best_index_is_that_of_ans_rc_signs():
    rng = np.random.default_rng(0)
    rows, columns = 2 ** rng.normal(0, 0.8, (300, 1)), 2 ** rng.normal(0, 0.8, 200)
    mask = rng.random((300, 200)) < 0.05 * rows * columns
    planes = np.zeros((1, 300, 200), dtype=np.bool_)
    index = {id: stream_bits(codec.encode(planes, mask))["index_bits"] for id, codec in BASELINES.items()}
    del index["dense"]
    assert sorted(index, key=index.__getitem__)[0] == "ans_rc_signs"


@pytest.mark.parametrize("positive", [0.5, 0.2])
def test_ternary_ans_costs_what_a_coder_of_ternary_symbols_costs(positive):
    rng = np.random.default_rng(1)
    mask, plane = rng.random((200, 300)) < 0.1, rng.random((200, 300)) < positive
    streams = BASELINES["ternary_ans"].encode(plane[None], mask)
    symbols = np.where(mask, 1 + plane, 0).ravel().astype(np.int32)
    model = constriction.stream.model.Categorical(np.bincount(symbols).astype(np.float64), perfect=False)
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(symbols, model)
    words = sum(8 * len(stream) for name, stream in streams.items() if name.endswith("words"))
    assert abs(words - coder.num_bits()) <= 2 * 32
