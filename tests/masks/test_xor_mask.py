"""Masks drawn by an XOR network; what `codebook` and `xor` share is tested with the codebook."""

import hashlib

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_codebook import code_arguments
from uneven import block_streams, decode_blocks_by_the_book, kept_share, uneven_scores

from xorjax.gf2.network import XorNetwork
from xorjax.masks import EncodedMask, fit_mask
from xorjax.masks.blocks import BlockCode
from xorjax.masks.words import WordBeam, WordTable, _compiled
from xorjax.masks.xor import network, number_tables


def number_by_the_book(header, window, place):
    n_in, _, row_groups, column_groups, threshold_bits, seed = header
    n_places = row_groups * column_groups
    matrix = XorNetwork.random(n_in, threshold_bits * n_places, seed).matrix
    x = np.array([window >> j & 1 for j in range(n_in)])
    planes = [int(matrix[n_places * p + place].astype(int) @ x % 2) for p in range(threshold_bits)]
    return int("".join(map(str, planes)), 2)


@given(code_arguments())
def test_decode_equals_the_decoder_of_the_format(arguments):
    shape, n_in, _, row_groups, column_groups, threshold_bits, _ = arguments
    assume(row_groups * column_groups * threshold_bits > n_in + 8)
    assume(np.prod(shape) <= 60)
    streams = block_streams(*arguments)
    mask = EncodedMask("xor", shape, streams).mask
    np.testing.assert_array_equal(mask, decode_blocks_by_the_book(streams, shape, number_by_the_book))


def test_decoded_masks_never_change():
    mask = EncodedMask("xor", (40, 30), block_streams((40, 30), 40, 3, 4, 5, 6, 7)).mask
    assert int(mask.sum()) == 600
    assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16] == "b525009506dab342"


def test_a_threshold_of_one_is_the_and_of_the_planes():
    shape, arguments = (20, 12), (10, 10, 4, 3, 3, 5)
    streams = block_streams(shape, *arguments)
    streams["thresholds"] = np.zeros_like(streams["thresholds"])
    mask = EncodedMask("xor", shape, streams).mask

    def is_all_ones(header, window, place):
        return 2**3 - 1 if number_by_the_book(header, window, place) == 2**3 - 1 else 0

    np.testing.assert_array_equal(mask, decode_blocks_by_the_book(streams, shape, is_all_ones))
    assert 0 < mask.mean() < 0.35


def words(n_in, step, beam=None):
    code = BlockCode(n_in, step, 2, 4, 4, 0)
    tables = number_tables(network(code), code.threshold_bits)
    if beam:
        return WordBeam(code, tables, beam)
    numbers = tables[0] if n_in <= 8 else (tables[0][None] ^ tables[1][:, None]).reshape(1 << 16, -1)
    return WordTable(code, np.ascontiguousarray(numbers[: 1 << n_in].T))


def test_the_search_is_exact_up_to_16_bits():
    """Against every stream of 4 windows."""
    rng = np.random.default_rng(0)
    thresholds = np.array([3, 7, 0, 2, 5, 9, 1, 4], dtype=np.int32)
    n_in, step = 6, 2
    drawn = (words(n_in, step).numbers + thresholds[:, None] >= 15).T
    streams = np.arange(1 << (n_in + 3 * step))
    for _ in range(20):
        values = rng.integers(-50, 50, (4, 8)).astype(np.float32)
        totals = sum(drawn[streams >> step * i & 63] @ values[i] for i in range(4))
        for search in (words(n_in, step), words(n_in, step, beam=4096)):
            bits, kept = search.best(values, thresholds, None)
            stream = int(bits @ (1 << np.arange(12)))
            np.testing.assert_array_equal(kept, drawn[[stream >> step * i & 63 for i in range(4)]])
            assert (kept * values).sum() == totals[stream]
            if isinstance(search, WordTable):
                assert totals[stream] == totals.max()
        start = np.array([1, 0, 0, 1], dtype=np.uint8)
        bits, kept = words(n_in, step).best(values, thresholds, start)
        np.testing.assert_array_equal(bits[:4], start)
        assert (kept * values).sum() == totals[(streams & 15) == 9].max()


@given(st.integers(1, 3), st.integers(0, 4), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_paths_equal_those_of_whole_rows_in_numpy(step, more, n_blocks, seed):
    rng = np.random.default_rng(seed)
    fan, n_rest = 1 << step, 1 << more
    # Few values: many paths are equal, and the first of them must be taken.
    gains = rng.integers(-2, 3, (n_blocks, fan, fan, n_rest)).astype(np.float32)
    metric = rng.integers(-5, 1, fan * n_rest).astype(np.float32)
    expected, back = metric, np.empty((n_blocks, fan * n_rest), np.uint8)
    found, found_back = metric.copy(), back.copy()
    for i, gain in enumerate(gains):
        paths = (gain + expected.reshape(-1, fan).T[:, None]).reshape(fan, -1)
        back[i] = paths.argmax(axis=0)
        expected = np.maximum(paths.max(axis=0) - paths.max(), np.float32(-6))
    _compiled()(gains, found, found_back, np.float32(-6))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found_back, back)


def test_a_wide_beam_is_as_good_as_trying_all():
    rng = np.random.default_rng(1)
    values = rng.integers(-60, 40, (60, 8)).astype(np.float32)
    thresholds = np.full(8, 3, dtype=np.int32)
    best = {
        beam: (words(9, 1, beam).best(values, thresholds, None)[1] * values).sum() for beam in (None, 512, 1)
    }
    assert best[None] == best[512] > best[1]


def test_windows_longer_than_16_bits():
    scores = uneven_scores((60, 50))
    encoded = fit_mask(scores, 0.9, "xor", n_in=40, step=2, row_groups=2, beam=16, seed=3)
    assert abs(encoded.mask.mean() - 0.1) <= 0.002
    assert kept_share(scores, encoded.mask) >= 0.5


def test_a_network_with_too_few_outputs_is_refused():
    with pytest.raises(ValueError, match="stream 'header': 2 threshold_bits for 4 places"):
        EncodedMask("xor", (6, 5), block_streams((6, 5), 8, 2, 2, 2, 2, 0)).mask  # noqa: B018
