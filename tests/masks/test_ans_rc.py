"""The row and column model: its decoder by the book, its size, and headers that no encoder writes."""

from math import log2

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xorjax.masks import EXACT_CODECS
from xorjax.masks.ans_rc import OCTAVE, fit_levels, frequency

CODEC = EXACT_CODECS["ans_rc"]
POWERS = (65536, 71468, 77936, 84990, 92682, 101070, 110218, 120194)


def n_bits(id, mask):
    return sum(8 * len(stream) for stream in EXACT_CODECS[id].encode(mask).values())


def decode_by_the_book(header, words, n_rows, n_columns):
    """docs/format.md's decoder, one integer at a time."""
    header, stack, state = list(header), list(words), 0
    while stack and state < 2**32:
        state = state << 32 | stack.pop()

    def symbol(frequencies):
        nonlocal state
        rest, start, k = state % 2**24, 0, 0
        while rest >= start + frequencies[k]:
            start, k = start + frequencies[k], k + 1
        state = (state >> 24) * frequencies[k] + rest - start
        if state < 2**32 and stack:
            state = state << 32 | stack.pop()
        return k

    axes = []
    for _ in range(2):
        k = header.pop(0)
        levels, shares = header[:k], header[k : 2 * k]
        del header[: 2 * k]
        axes.append(([(v + 128) % 256 - 128 for v in levels], [(v + 1) << 16 for v in shares]))
    assert not header
    classes = [
        [symbol(shares) for _ in range(size)]
        for (_, shares), size in zip(axes, (n_rows, n_columns), strict=True)
    ]
    mask = np.zeros((n_rows, n_columns), dtype=np.bool_)
    for r, row_level in enumerate(axes[0][0]):
        for c, column_level in enumerate(axes[1][0]):
            s = row_level + column_level
            rarer = max(2**40 // (65536 + (POWERS[abs(s) % 8] << abs(s) // 8)), 1)
            ones = rarer if s < 0 else 2**24 - rarer
            for i in range(n_rows):
                for j in range(n_columns):
                    if classes[0][i] == r and classes[1][j] == c:
                        mask[i, j] = symbol((2**24 - ones, ones))
    assert state == 0
    assert not stack
    return mask


def uneven(rng, n_rows, n_columns, density, spread):
    rows, columns = 2 ** rng.normal(0, spread, (n_rows, 1)), 2 ** rng.normal(0, spread, n_columns)
    return rng.random((n_rows, n_columns)) < density * rows * columns


@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(1, 70),
    n_columns=st.integers(1, 70),
    density=st.floats(0, 1),
    spread=st.floats(0, 3),
)
@example(seed=0, n_rows=40, n_columns=60, density=0.1, spread=2)
def test_equals_the_decoder_of_the_format(seed, n_rows, n_columns, density, spread):
    mask = uneven(np.random.default_rng(seed), n_rows, n_columns, density, spread)
    streams = CODEC.encode(mask)
    words = streams["words"].view("<u4").tolist()
    assert np.array_equal(decode_by_the_book(streams["header"].tolist(), words, n_rows, n_columns), mask)


def test_a_kernel_is_the_matrix_of_its_outputs():
    mask = uneven(np.random.default_rng(2), 45, 32, 0.1, 1.5)
    streams = CODEC.encode(mask.reshape(3, 3, 5, 32))
    for name, stream in CODEC.encode(mask).items():
        assert np.array_equal(streams[name], stream)
    assert np.array_equal(CODEC.decode(streams, (3, 3, 5, 32)), mask.reshape(3, 3, 5, 32))


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5, 0.97])
def test_costs_the_entropy_of_an_even_mask(density):
    mask = np.random.default_rng(0).random((400, 300)) < density
    ones = mask.mean()
    bound = -mask.size * (ones * log2(ones) + (1 - ones) * log2(1 - ones))
    # One class each: two headers of three bytes, and the odds to the nearest eighth of an octave.
    assert len(CODEC.encode(mask)["header"]) == 6
    assert bound <= n_bits("ans_rc", mask) <= 1.001 * bound + 6 * 8 + 64


@pytest.mark.parametrize(("density", "spread"), [(0.1, 0.6), (0.05, 0.8), (0.02, 1.0)])
def test_costs_nearly_what_an_uneven_mask_costs_when_all_densities_are_known(density, spread):
    rng = np.random.default_rng(0)
    rows, columns = 2 ** rng.normal(0, spread, (600, 1)), 2 ** rng.normal(0, spread, 500)
    chance = np.minimum(density * rows * columns, 0.95)
    mask = rng.random((600, 500)) < chance
    known = -np.log2(np.where(mask, chance, 1 - chance)).sum()
    bits = n_bits("ans_rc", mask)
    assert bits <= known + 3 * (600 + 500)
    assert bits < 0.96 * n_bits("ans", mask)


@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0, 1), spread=st.floats(0, 2))
def test_is_never_much_longer_than_one_density(seed, density, spread):
    mask = uneven(np.random.default_rng(seed), 37, 29, density, spread)
    assert n_bits("ans_rc", mask) <= n_bits("ans", mask) + 96


def test_levels_follow_the_densities():
    rng = np.random.default_rng(0)
    rows = np.where(np.arange(300) % 2, 0.4, 0.05)[:, None]
    levels, columns = fit_levels(rng.random((300, 200)) < rows)
    assert len(set(columns.tolist())) == 1
    assert levels[1::2].min() == levels[1::2].max() > levels[::2].max() == levels[::2].min()


@given(st.integers(-256, 254))
def test_frequency_is_that_of_the_odds(odds):
    power = 2.0 ** (abs(odds) / OCTAVE)
    rarer = 2**24 - frequency(odds) if odds >= 0 else frequency(odds)
    assert 1 <= rarer <= 2**23
    assert rarer == pytest.approx(max(2**24 / (1 + power), 1), rel=3e-5, abs=1)
    if -256 < odds < 254:
        assert frequency(odds) <= frequency(odds + 1)
    if odds:
        assert frequency(odds) + frequency(-odds) == 2**24


@pytest.mark.parametrize(
    "header",
    [
        [],
        [0, 1, 0, 255],
        [1, 0, 255],
        [1, 0, 255, 1, 0, 255, 0],
        [1, 0, 254, 1, 0, 255],
        [2, 5, 5, 127, 127, 1, 0, 255],
        [2, 5, 4, 127, 127, 1, 0, 255],
        [2, 5, 6, 127, 126, 1, 0, 255],
        [255, 0, 255],
    ],
)
def test_a_header_that_no_encoder_writes_is_refused(header):
    streams = {"header": np.array(header, dtype=np.uint8), "words": CODEC.encode(np.eye(9) > 0)["words"]}
    with pytest.raises(ValueError, match="stream 'header'"):
        CODEC.decode(streams, (9, 9))


def test_words_left_over_or_too_few_are_refused():
    mask = uneven(np.random.default_rng(3), 30, 30, 0.2, 1)
    streams = CODEC.encode(mask)
    for words in (streams["words"][:-4], np.append(streams["words"], np.uint8([1, 0, 0, 0]))):
        with pytest.raises(ValueError, match="stream 'words'"):
            CODEC.decode({**streams, "words": words}, mask.shape)
