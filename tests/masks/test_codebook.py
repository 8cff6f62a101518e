"""Masks drawn in blocks from the hash: the decoder, the rate, the score, and what both block codecs refuse."""

import hashlib
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uneven import block_streams, decode_blocks_by_the_book, fields, kept_share, uneven_scores

from xorjax.masks import EncodedMask, fit_mask
from xorjax.masks.codebook import Codebook
from xorjax.masks.search import BlockSettings, choose_code

codecs = pytest.mark.parametrize("codec", ["codebook", "xor"])
FAST = {"n_in": 8, "step": 2}


def number_by_the_book(header, window, place):
    *_, threshold_bits, seed = header
    x = (window + (place << 16) + 0x9E3779B9 * seed) % 2**32
    x = (x ^ x >> 16) * 0x7FEB352D % 2**32
    x = (x ^ x >> 15) * 0x846CA68B % 2**32
    return (x ^ x >> 16) >> 32 - threshold_bits


@st.composite
def code_arguments(draw):
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    rows, columns = int(np.prod(shape[:-1])), shape[-1]
    n_in = draw(st.integers(1, 16))
    return (
        shape,
        n_in,
        draw(st.integers(1, n_in)),
        draw(st.integers(1, rows)),
        draw(st.integers(1, columns)),
        draw(st.integers(1, 12)),
        draw(st.integers(0, 2**32 - 1)),
    )


@given(code_arguments())
def test_decode_equals_the_decoder_of_the_format(arguments):
    streams, shape = block_streams(*arguments), arguments[0]
    mask = EncodedMask("codebook", shape, streams).mask
    np.testing.assert_array_equal(mask, decode_blocks_by_the_book(streams, shape, number_by_the_book))


def test_decoded_masks_never_change():
    mask = EncodedMask("codebook", (40, 30), block_streams((40, 30), 11, 3, 4, 5, 6, 7)).mask
    assert int(mask.sum()) == 602
    assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16] == "a5d40abdc6bf3afb"


@codecs
@pytest.mark.parametrize("prune_rate", [0.0, 0.3, 0.9, 0.98])
@pytest.mark.parametrize("shape", [(103, 87), (5, 5, 4, 61), (4001,)])
def test_the_prune_rate_is_met(codec, prune_rate, shape):
    encoded = fit_mask(uneven_scores(shape), prune_rate, codec, column_groups=6, **FAST)
    assert encoded.mask.shape == shape
    assert abs((1 - encoded.mask.mean()) - prune_rate) <= 0.002


@codecs
@pytest.mark.parametrize("scores", ["equal", "zero", "one large", "mostly zero"])
def test_the_prune_rate_is_met_whatever_the_scores(codec, scores):
    array = np.zeros((120, 90), dtype=np.float32)
    if scores == "equal":
        array[:] = 1
    elif scores == "one large":
        array += uneven_scores(array.shape)
        array[3, 5] = 1e30
    elif scores == "mostly zero":
        array[:7] = uneven_scores((7, 90))
    encoded = fit_mask(array, 0.9, codec, column_groups=6, **FAST)
    assert abs(encoded.mask.mean() - 0.1) <= 0.002


@codecs
@pytest.mark.parametrize(("n_in", "step"), [(8, 8), (10, 3), (12, 1)])
def test_sizes_by_formula(codec, n_in, step):
    settings = {"n_in": n_in, "step": step, "row_groups": 3, "column_groups": 7, "threshold_bits": 9}
    encoded = fit_mask(uneven_scores((100, 45)), 0.9, codec, **settings)
    # 34 rows a group, 7 columns a group; groups in 2 and 3 bits; 21 thresholds of 9 bits.
    bits = {"rows": 200, "columns": 135, "thresholds": 189, "codes": (34 * 7 - 1) * step + n_in}
    assert encoded.nbits == {"header": 112} | {name: 8 * -(-n // 8) for name, n in bits.items()}


@codecs
def test_index_bits_choose_the_columns(codec):
    for index_bits in (0.08, 0.14):
        encoded = fit_mask(uneven_scores((300, 200)), 0.9, codec, index_bits=index_bits, **FAST)
        assert 0.8 * index_bits <= encoded.bits_per_weight <= index_bits
    assert choose_code((400, 300), 0.9, BlockSettings()).bits_per_weight((400, 300)) <= 0.469 / 4


@codecs
def test_fit_beats_the_codes_at_random(codec):
    scores = uneven_scores((300, 200))
    encoded = fit_mask(scores, 0.95, codec, **FAST)
    fitted = kept_share(scores, encoded.mask)
    codes = np.random.default_rng(0).integers(0, 256, len(encoded.streams["codes"]), dtype=np.uint8)
    codes[-1] = 0
    random = EncodedMask(codec, scores.shape, {**encoded.streams, "codes": codes}).mask
    assert fitted >= kept_share(scores, random) + 0.2


@codecs
def test_overlap_keeps_more_at_equal_bits(codec):
    scores = uneven_scores((400, 250))
    settings = {"n_in": 10, "index_bits": 0.07}
    apart = fit_mask(scores, 0.95, codec, step=10, **settings)
    overlapping = fit_mask(scores, 0.95, codec, step=2, **settings)
    assert kept_share(scores, overlapping.mask) >= kept_share(scores, apart.mask) + 0.01


def test_longer_windows_keep_more():
    scores = uneven_scores((200, 150))
    short, long = (fit_mask(scores, 0.95, "codebook", n_in=n_in, step=2).mask for n_in in (4, 10))
    assert kept_share(scores, long) >= kept_share(scores, short) + 0.02


def test_groups_keep_more_where_rows_and_columns_differ():
    scores = uneven_scores((300, 200))
    kept = {
        groups: kept_share(
            scores,
            fit_mask(scores, 0.95, "codebook", row_groups=groups[0], column_groups=groups[1], **FAST).mask,
        )
        for groups in ((1, 32), (4, 8))
    }
    assert kept[4, 8] >= kept[1, 32] + 0.02
    # And the rows of group 0 are those that hold most of the largest scores.
    top = scores >= np.quantile(scores, 0.95)
    streams = fit_mask(scores, 0.95, "codebook", row_groups=4, column_groups=8, **FAST).streams
    groups = np.array(fields(streams["rows"], 2, 300))
    assert top.sum(axis=1)[groups == 0].min() >= top.sum(axis=1)[groups == 1].max()


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_threads():
    code = (
        "import hashlib, sys; from uneven import uneven_scores; from xorjax.masks import fit_mask;"
        'e = fit_mask(uneven_scores((60, 50)), .9, "codebook", n_in=9, step=2, seed=int(sys.argv[1]));'
        "print(hashlib.sha256(b''.join(s.tobytes() for s in e.streams.values())).hexdigest())"
    )
    outputs = []
    for threads, seed in (("1", "0"), ("2", "0"), ("1", "1")):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        environment["PYTHONPATH"] = os.path.dirname(__file__)
        run = subprocess.run(
            [sys.executable, "-c", code, seed], capture_output=True, text=True, check=True, env=environment
        )
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1] != outputs[2]


def damaged(streams):
    """Streams that no encoder writes, with what the refusal must name."""
    header = streams["header"]

    def with_header(at, value):
        changed = header.copy()
        changed[at : at + 2] = np.array([value], dtype="<u2").view(np.uint8)
        return {**streams, "header": changed}

    for at, name in (
        (0, "n_in"),
        (2, "step"),
        (4, "row_groups"),
        (6, "column_groups"),
        (8, "threshold_bits"),
    ):
        yield with_header(at, 0), name
        yield with_header(at, 65535), name
    yield with_header(0, 16), "codes"
    yield with_header(4, 4), "stream"
    for name in streams:
        yield {other: stream for other, stream in streams.items() if other != name}, name
        yield {**streams, name: streams[name][:-1]}, name
        yield {**streams, name: np.append(streams[name], np.uint8(0))}, name
    for name in ("rows", "columns"):  # all in the last group, or in one past it
        yield {**streams, name: np.full_like(streams[name], 0b10101010)}, name
        yield {**streams, name: np.full_like(streams[name], 255)}, name
    for name in ("columns", "thresholds", "codes"):
        last = streams[name].copy()
        last[-1] |= 128
        yield {**streams, name: last}, name


@codecs
def test_damage_is_refused_by_name(codec):
    shape = (41, 31)  # rows in 82 bits, columns in 62, 9 thresholds in 63, 153 windows in 311
    streams = fit_mask(
        uneven_scores(shape), 0.8, codec, row_groups=3, column_groups=3, threshold_bits=7, n_in=7, step=2
    ).streams
    cases = list(damaged(streams))
    assert len(cases) == 34
    for case, name in cases:
        with pytest.raises(ValueError, match=name):
            EncodedMask(codec, shape, case).mask  # noqa: B018
    with pytest.raises(ValueError, match="no weights"):
        EncodedMask(codec, (0, 31), streams).mask  # noqa: B018


@codecs
@settings(max_examples=40)
@given(st.data())
def test_random_headers_use_bounded_memory(codec, data):
    shape = (64, 48)
    streams = dict(block_streams(shape, 8, 2, 4, 4, 8, 0))
    streams["header"] = np.array(
        [data.draw(st.sampled_from([1, 4, 8, 12, 16, 48, 64, 512, 65535])) for _ in range(5)] + [0, 0],
        dtype="<u2",
    ).view(np.uint8)
    for name in ("rows", "columns", "thresholds", "codes"):
        streams[name] = np.zeros(data.draw(st.integers(0, 2000)), dtype=np.uint8)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="stream"):
            EncodedMask(codec, shape, streams).mask  # noqa: B018
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


@codecs
@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"n_in": 17, "step": 17}, "step"),
        ({"n_in": 8, "step": 5}, "step"),
        ({"n_in": 8, "step": 0}, "step"),
        ({"row_groups": 4, "column_groups": 21}, "column_groups"),
        ({"threshold_bits": 13}, "threshold_bits"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_named(codec, given, match):
    with pytest.raises(ValueError, match=match):
        fit_mask(uneven_scores((30, 20)), 0.9, codec, **given)
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        fit_mask(np.zeros((0, 3), dtype=np.float32), 0.9, codec)


def test_codebook_words_are_16_bits_at_most():
    with pytest.raises(ValueError, match="n_in is 18"):
        Codebook().fit(uneven_scores((30, 20)), 0.9, BlockSettings(n_in=18, step=2))
