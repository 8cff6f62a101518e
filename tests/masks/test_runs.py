"""Relative indices and Golomb codes: entries and codes by hand, the best parameter, streams that lie."""

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.masks import EXACT_CODECS
from xorjax.masks.csr import WIDTHS
from xorjax.masks.golomb import best_parameter

GOLOMB = EXACT_CODECS["golomb"]


def u64(*values):
    return np.array(values, dtype="<u8").view(np.uint8)


def fields(width, *values):
    total = sum(value << width * i for i, value in enumerate(values))
    return np.frombuffer(total.to_bytes(-(-width * len(values) // 8), "little"), dtype=np.uint8)


def mask_of(n, *kept):
    return np.isin(np.arange(n), kept)


@pytest.mark.parametrize("width", WIDTHS)
def test_csr_entries_by_hand(width):
    filler = 2**width - 1
    # The gaps: none, one under a filler, exactly a filler, two fillers and three.
    gaps = [0, filler - 1, filler, 2 * filler + 3]
    kept = np.cumsum(np.array(gaps) + 1) - 1
    mask = mask_of(int(kept[-1]) + 100, *kept)
    streams = EXACT_CODECS[f"csr{width}"].encode(mask)
    entries = [0, filler - 1, filler, 0, filler, filler, 3]
    assert np.array_equal(streams["n_entries"], u64(len(entries)))
    assert np.array_equal(streams["gaps"], fields(width, *entries))


@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0, 0.5), width=st.sampled_from(WIDTHS))
def test_csr_counts_a_filler_for_every_gap_that_does_not_fit(seed, density, width):
    mask = np.random.default_rng(seed).random(2000) < density
    entries, run = 0, 0
    for is_kept in mask.tolist():
        if is_kept:
            entries, run = entries + 1 + run // (2**width - 1), 0
        else:
            run += 1
    streams = EXACT_CODECS[f"csr{width}"].encode(mask)
    assert np.array_equal(streams["n_entries"], u64(entries))
    assert len(streams["gaps"]) == -(-entries * width // 8)


@pytest.mark.parametrize(
    ("n_entries", "gaps", "match"),
    [
        (2, fields(5, 3, 31), "ends in a filler"),
        (2, fields(5, 30, 9), "reaches weight 40 of 40"),
        (2, fields(5, 31, 30), "reaches weight 61 of 40"),
        (1, fields(5, 3, 1)[:1], "'gaps' has a bit set after its 5 bits"),
        (2, fields(5, 3), "'gaps' has 1 bytes, not 2"),
        (41, fields(5, *[0] * 41), "'n_entries' counts 41 of 40"),
    ],
)
def test_csr_refuses(n_entries, gaps, match):
    with pytest.raises(ValueError, match=match):
        EXACT_CODECS["csr5"].decode({"n_entries": u64(n_entries), "gaps": gaps}, (40,))


def golomb_by_the_book(header, quotients, remainders, last_bits, n):
    """docs/format.md's decoder, one bit at a time."""
    bits = [
        [byte >> k & 1 for byte in stream for k in range(8)] for stream in (quotients, remainders, last_bits)
    ]
    n_kept, m = (int.from_bytes(bytes(part), "little") for part in (header[:8], header[8:]))
    b = (m - 1).bit_length()
    short = 2**b - m
    mask, place = np.zeros(n, dtype=np.bool_), -1
    for _ in range(n_kept):
        run = 0
        while not bits[0].pop(0):
            run += m
        rest = sum(bits[1].pop(0) << k for k in range(b - 1))
        if m > 1 and rest >= short:
            rest = 2 * rest + bits[2].pop(0) - short
        place += run + rest + 1
        mask[place] = True
    assert not any(any(left) or len(left) >= 8 for left in bits)
    return mask


@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0.001, 1), n=st.integers(1, 3000))
def test_golomb_equals_the_decoder_of_the_format(seed, density, n):
    mask = np.random.default_rng(seed).random(n) < density
    streams = [stream.tolist() for stream in GOLOMB.encode(mask).values()]
    assert np.array_equal(golomb_by_the_book(*streams, n), mask)


def test_golomb_by_hand():
    # Fifty runs of 3 and one of 10 in m = 4: b = 2 and u = 0, so every remainder has its last bit apart.
    streams = GOLOMB.encode(mask_of(260, *range(3, 200, 4), 210))
    assert np.array_equal(streams["header"], u64(51, 4))
    assert np.array_equal(streams["quotients"], fields(1, *[1] * 50, 0, 0, 1))
    assert np.array_equal(streams["remainders"], fields(1, *[1] * 50, 1))
    assert np.array_equal(streams["last_bits"], fields(1, *[1] * 50, 0))


@given(seed=st.integers(0, 2**32 - 1), density=st.floats(0.005, 1))
def test_golomb_parameter_is_the_best_there_is(seed, density):
    mask = np.random.default_rng(seed).random(1000) < density
    runs = np.diff(np.flatnonzero(mask), prepend=-1) - 1

    def size(m):
        b = (m - 1).bit_length()
        remainders = np.where(runs % m >= 2**b - m, b, b - 1) if m > 1 else 0
        return int((runs // m + 1 + remainders).sum())

    assert size(best_parameter(runs)) == min(size(m) for m in range(1, 1001))


@pytest.mark.parametrize("parameter", [1, 2, 3, 4, 5, 7, 13, 64])
def test_golomb_takes_the_parameter_of_the_density(parameter):
    # Gallager and van Voorhis: the m for which q^m + q^(m+1) <= 1 < q^(m-1) + q^m, q the chance of a zero.
    density = 1 - 2 ** (-1 / parameter) if parameter > 1 else 0.6
    mask = np.random.default_rng(0).random(400_000) < density
    found = best_parameter(np.diff(np.flatnonzero(mask), prepend=-1) - 1)
    assert abs(found - parameter) <= 1 + parameter // 20


@pytest.mark.parametrize("density", [0.02, 0.05, 0.1])
def test_golomb_is_within_two_percent_of_the_entropy(density):
    mask = np.random.default_rng(0).random((800, 500)) < density
    ones = mask.mean()
    bound = -mask.size * (ones * log2(ones) + (1 - ones) * log2(1 - ones))
    bits = sum(8 * len(stream) for stream in GOLOMB.encode(mask).values())
    assert bound <= bits <= 1.02 * bound


GOOD = {
    "header": u64(2, 3),
    "quotients": fields(1, 0, 1, 1),
    "remainders": fields(1, 1, 0),
    "last_bits": fields(1, 1),
}


def test_golomb_decodes_what_the_refusals_below_start_from():
    # m = 3, b = 2, u = 1: the runs are 3 + (2 + 1 - 1) = 5 and 0.
    assert np.flatnonzero(GOLOMB.decode(GOOD, (8,))).tolist() == [5, 6]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"header": u64(9, 3)}, "'header' has 9 kept weights"),
        ({"header": u64(2, 0)}, "the parameter 0"),
        ({"header": u64(2, 9)}, "the parameter 9"),
        ({"header": u64(2, 2**63)}, "the parameter 9223372036854775808"),
        ({"header": u64(2**60, 3)}, "'header' has 1152921504606846976 kept"),
        ({"header": u64(3, 3)}, "'quotients' has 2 ones, not 3"),
        ({"header": u64(1, 3)}, "'quotients' has 2 ones, not 1"),
        ({"quotients": fields(1, 0, 0, 0, 1, 1)}, "'quotients' reaches past weight 8"),
        ({"quotients": fields(8, 6, 0)}, "'quotients' has 2 bytes"),
        ({"quotients": fields(8, 6, *[0] * 1000)}, "'quotients' has 1001 bytes"),
        ({"quotients": fields(1, 0, 0, 1, 1)}, "reaches weight 9 of 8"),
        ({"remainders": fields(1, 1, 0, 1)}, "'remainders' has a bit set"),
        ({"remainders": fields(8, 1, 0)}, "'remainders' has 2 bytes"),
        ({"last_bits": fields(1, 1, 1)}, "'last_bits' has a bit set"),
        ({"last_bits": fields(1)}, "'last_bits' has 0 bytes"),
    ],
)
def test_golomb_refuses(change, match):
    with pytest.raises(ValueError, match=match):
        GOLOMB.decode({**GOOD, **change}, (8,))


def test_golomb_refuses_a_byte_after_the_last_quotient():
    with pytest.raises(ValueError, match="'quotients' has 2 bytes, not 1"):
        GOLOMB.decode({**GOOD, "quotients": fields(8, 6, 0)}, (20,))
