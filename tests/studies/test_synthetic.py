"""What a study measures is what the codec writes."""

import numpy as np
import pytest

from xorjax.codec.encoded import encode
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.gf2.network import XorNetwork
from xorjax.studies.synthetic import measure, random_plane, sweep


def test_planes_are_fair_kept_at_the_rate_and_repeatable():
    bits, care = random_plane(100_000, 0.9, seed=3)
    assert bits.mean() == pytest.approx(0.5, abs=0.01)
    assert care.mean() == pytest.approx(0.1, abs=0.005)
    assert bits[care].mean() == pytest.approx(0.5, abs=0.03)
    again, other = random_plane(100_000, 0.9, seed=3), random_plane(100_000, 0.9, seed=4)
    assert np.array_equal(again[0], bits)
    assert np.array_equal(again[1], care)
    assert not np.array_equal(other[0], bits)
    assert not np.array_equal(other[1], care)


@pytest.mark.parametrize("method", ["greedy", "minimum"])
def test_all_formats_are_counted_as_each_alone_would_be(method):
    bits, care = random_plane(7001, 0.8, seed=1)
    measured = measure(bits, care, 0.8, n_in=12, n_out=70, method=method, seed=5, patch_block=8)
    net = XorNetwork.random(12, 70, 5)
    for patch_format in PATCH_FORMATS:
        encoded = encode(bits, care, net, method, patch_format, patch_block=8)
        assert measured.value_bits(patch_format) == pytest.approx(encoded.bits_per_weight, rel=1e-12)
        assert measured.code_bits == encoded.nbits["codes"] / 7001
    assert set(measured.patch_bits) == set(PATCH_FORMATS)
    assert measured.n_slices == 101
    assert measured.patches_per_slice == pytest.approx(encoded.n_patches.mean())
    assert measured.patches_per_care_bit == pytest.approx(encoded.n_patches.sum() / care.sum())
    assert measured.fill == pytest.approx(0.2 * 70 / 12)


def test_a_sweep_has_every_combination_once():
    fills = {12: [0.5, 0.75], 40: [1.0]}
    formats = {"greedy": ("paper",), "minimum": ("care", "enumerative")}
    found = list(sweep(2000, [0.6, 0.9], fills, formats, seeds=(0, 7)))
    assert [(m.prune_rate, m.seed, m.n_in, m.n_out, m.method) for m in found] == [
        (rate, seed, n_in, n_out, method)
        for rate, n_outs in ((0.6, ((12, 15), (12, 22), (40, 100))), (0.9, ((12, 60), (12, 90), (40, 400))))
        for seed in (0, 7)
        for n_in, n_out in n_outs
        for method in ("greedy", "minimum")
    ]
    assert all(tuple(m.patch_bits) == formats[m.method] for m in found)


def test_slices_are_longer_than_code_words_whatever_the_fill():
    (measured,) = sweep(1000, [0.5], {12: [0.1]}, {"greedy": ("paper",)})
    assert measured.n_out == 13
