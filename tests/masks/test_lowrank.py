"""Low-rank masks: the decoder, the rate, what local search adds to the source's method, refusals."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uneven import fields, kept_share, uneven_scores

from xorjax.masks import EncodedMask, fit_mask
from xorjax.masks.factorize import Factors, FactorSearch, threshold_factors


def decode_by_the_book(streams, shape):
    """docs/format.md's decoder, one weight and one factor at a time."""
    rank, tile_rows, tile_columns = fields(streams["header"], 32, 3)
    n, m = shape[-1], int(np.prod(shape)) // shape[-1]
    ip, iz = (fields(streams[name], 1, 8 * len(streams[name])) for name in ("rows", "columns"))
    mask = np.zeros((m, n), dtype=np.bool_)
    ip_begin = iz_begin = 0
    for top in range(0, m, tile_rows):
        for left in range(0, n, tile_columns):
            height, width = min(tile_rows, m - top), min(tile_columns, n - left)
            for k in range(rank):
                for i in range(height):
                    for j in range(width):
                        mask[top + i, left + j] |= bool(
                            ip[ip_begin + k * height + i] and iz[iz_begin + k * width + j]
                        )
            ip_begin, iz_begin = ip_begin + rank * height, iz_begin + rank * width
    return mask.reshape(shape)


def factor_streams(shape, rank, tile_rows, tile_columns, seed):
    n, m = shape[-1], int(np.prod(shape)) // shape[-1]
    raw = np.random.PCG64(seed)
    sizes = {"rows": rank * m * -(-n // tile_columns), "columns": rank * n * -(-m // tile_rows)}
    return {
        "header": np.array([rank, tile_rows, tile_columns], dtype="<u4").view(np.uint8),
        **{
            name: np.packbits(raw.random_raw(size) % 3 == 0, bitorder="little")
            for name, size in sizes.items()
        },
    }


@st.composite
def factor_arguments(draw):
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
    tile_rows, tile_columns = (draw(st.integers(1, n)) for n in (int(np.prod(shape)) // shape[-1], shape[-1]))
    rank = draw(st.integers(1, min(tile_rows, tile_columns)))
    return shape, rank, tile_rows, tile_columns, draw(st.integers(0, 2**32 - 1))


@given(factor_arguments())
def test_decode_equals_the_decoder_of_the_format(arguments):
    streams, shape = factor_streams(*arguments), arguments[0]
    mask = EncodedMask("lowrank", shape, streams).mask
    np.testing.assert_array_equal(mask, decode_by_the_book(streams, shape))


def test_decoded_masks_never_change():
    mask = EncodedMask("lowrank", (40, 30), factor_streams((40, 30), 3, 17, 30, 5)).mask
    assert int(mask.sum()) == 269
    assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16] == "32d4c287e8726631"


@pytest.mark.parametrize("prune_rate", [0.0, 0.3, 0.6, 0.9, 0.95, 0.98])
@pytest.mark.parametrize(
    ("shape", "tile"), [((103, 87), (None, None)), ((5, 5, 4, 61), (40, 33)), ((203, 117), (128, 128))]
)
def test_the_prune_rate_is_met(shape, tile, prune_rate):
    encoded = fit_mask(
        uneven_scores(shape), prune_rate, "lowrank", tile_rows=tile[0], tile_columns=tile[1], index_bits=0.25
    )
    assert encoded.mask.shape == shape
    assert abs((1 - encoded.mask.mean()) - prune_rate) <= 0.002


def test_size_by_formula():
    encoded = fit_mask(
        uneven_scores((100, 45)), 0.9, "lowrank", rank=3, tile_rows=60, tile_columns=20, restarts=1
    )
    # 2 x 3 tiles.
    bits = {"rows": 3 * 100 * 3, "columns": 3 * 45 * 2}
    assert encoded.nbits == {"header": 96} | {name: 8 * -(-n // 8) for name, n in bits.items()}
    assert fit_mask(uneven_scores((300, 200)), 0.9, "lowrank", index_bits=0.1).bits_per_weight <= 0.1


@pytest.mark.parametrize("prune_rate", [0.9, 0.95])
def test_local_search_keeps_more_than_thresholds(prune_rate):
    scores = uneven_scores((200, 150))
    source = fit_mask(scores, prune_rate, "lowrank", rank=10, restarts=0)
    searched = fit_mask(scores, prune_rate, "lowrank", rank=10)
    assert source.nbits == searched.nbits
    assert kept_share(scores, searched.mask) >= kept_share(scores, source.mask) + 0.05


def test_fit_beats_factors_at_random():
    scores = uneven_scores((200, 150))
    fitted = fit_mask(scores, 0.95, "lowrank", rank=10)
    ip, iz = (np.random.default_rng(0).random(shape) < 0.07 for shape in ((200, 10), (10, 150)))
    random = Factors(ip, iz).cover() > 0
    assert kept_share(scores, fitted.mask) >= kept_share(scores, random) + 0.2


def test_a_mask_of_low_rank_is_found():
    scores = np.full((60, 40), 0.1, dtype=np.float32)
    scores[3:20, 5:15] = 1
    scores[30:50, 10:38] = 2
    scores[::7, 1] = 3
    encoded = fit_mask(scores, float((scores < 1).mean()), "lowrank", rank=3)
    np.testing.assert_array_equal(encoded.mask, scores >= 1)


def test_a_sweep_never_loses():
    scores = uneven_scores((80, 60))
    start = threshold_factors([scores], 5, 300, 0)
    search = FactorSearch([scores], start, 300, 1.0)
    tile = search.tiles[0]
    value = tile.kept_value(1.0)
    for _ in range(4):
        tile.sweep(1.0)
        np.testing.assert_array_equal(tile.cover, Factors(tile.rows, tile.columns).cover())
        assert tile.kept_value(1.0) >= value - 1e-3
        value = tile.kept_value(1.0)
    tile.redraw(1.0)
    np.testing.assert_array_equal(tile.cover, Factors(tile.rows, tile.columns).cover())
    assert tile.kept_value(1.0) >= value - 1e-3


def test_the_same_seed_gives_the_same_bytes():
    one, two, other = (
        fit_mask(uneven_scores((70, 50)), 0.9, "lowrank", rank=4, seed=seed).streams for seed in (0, 0, 7)
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not all(np.array_equal(one[name], other[name]) for name in one)


def test_damage_is_refused_by_name():
    shape = (41, 31)
    streams = factor_streams(shape, 3, 20, 16, 0)  # 246 bits of rows, 279 of columns
    for name in streams:
        for case in (
            {other: stream for other, stream in streams.items() if other != name},
            {**streams, name: streams[name][:-1]},
            {**streams, name: np.append(streams[name], np.uint8(0))},
        ):
            with pytest.raises(ValueError, match=name):
                EncodedMask("lowrank", shape, case).mask  # noqa: B018
    for name in ("rows", "columns"):
        last = streams[name].copy()
        last[-1] |= 128
        with pytest.raises(ValueError, match=f"{name}.*after its"):
            EncodedMask("lowrank", shape, {**streams, name: last}).mask  # noqa: B018
    for i, name in enumerate(("rank", "tile_rows", "tile_columns")):
        for value in (0, 42, 2**32 - 1):
            header = np.array([3, 20, 16], dtype="<u4")
            header[i] = value
            with pytest.raises(ValueError, match=f"'header'.*{name}"):
                EncodedMask("lowrank", shape, {**streams, "header": header.view(np.uint8)}).mask  # noqa: B018
