"""Predicted bits against those of real encodings, on random masks and on uneven ones."""

import numpy as np
import pytest

from xorjax.codec.encoded import encode
from xorjax.codec.patches import PATCH_FORMATS
from xorjax.codec.predict import choose_n_out, predict_bits
from xorjax.gf2.network import XorNetwork

LIMIT = 0.02


def assert_within_limit(bits, care, net, method, prediction, **settings):
    """Every patch format's bits against the prediction, which is a function of the format."""
    for patch_format in PATCH_FORMATS:
        encoded = encode(bits, care, net, method, patch_format, **settings)
        predicted = prediction(patch_format)
        assert predicted["code_bits"] * bits.size == pytest.approx(encoded.nbits["codes"], abs=8)
        assert sum(predicted.values()) == pytest.approx(encoded.bits_per_weight, rel=LIMIT), patch_format


def assert_predicts_random_masks(n_in, prune_rate, method, n_slices):
    n_out = choose_n_out(n_in, prune_rate, method)
    n = n_out * n_slices - 5
    rng = np.random.default_rng(1)
    bits, care, net = rng.random(n) < 0.5, rng.random(n) >= prune_rate, XorNetwork.random(n_in, n_out)
    assert_within_limit(
        bits, care, net, method, lambda f: predict_bits(n_in, n_out, prune_rate, method, f, n_weights=n)
    )


@pytest.mark.parametrize("method", ["greedy", "minimum"])
@pytest.mark.parametrize("prune_rate", [0.6, 0.9])
@pytest.mark.parametrize("n_in", [20, 64])
def test_random_masks(n_in, prune_rate, method):
    assert_predicts_random_masks(n_in, prune_rate, method, n_slices=3000)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["greedy", "minimum"])
@pytest.mark.parametrize("prune_rate", [0.6, 0.8, 0.9, 0.95, 0.98])
@pytest.mark.parametrize("n_in", [12, 20, 40, 64, 128])
def test_random_masks_on_a_grid(n_in, prune_rate, method):
    # The paper's counts are as wide as the largest, which is a matter of chance where few slices could have it:
    # one bit more or less is 5 % of a small slice.
    assert_predicts_random_masks(n_in, prune_rate, method, n_slices=20_000 if n_in == 12 else 4000)


def uneven_mask(shape, seed=0):
    """Rows keep .02 to .3 of their weights."""
    rng = np.random.default_rng(seed)
    return rng.random(shape) < rng.uniform(0.02, 0.3, (shape[0], 1))


@pytest.mark.parametrize("method", ["greedy", "minimum"])
@pytest.mark.parametrize("slicing", ["row_major", "interleaved"])
def test_uneven_masks_by_their_care_bits(slicing, method):
    care = uneven_mask((400, 1000))
    bits = np.random.default_rng(1).random(care.shape) < 0.5
    net = XorNetwork.random(20, 96)
    encoded = encode(bits, care, net, method, slicing=slicing)
    padded = np.zeros(len(encoded.codes) * net.n_out, dtype=bool)
    padded[: care.size] = care.reshape(-1)
    in_slices = padded.reshape(-1, net.n_out) if slicing == "row_major" else padded.reshape(net.n_out, -1).T
    counts = np.count_nonzero(in_slices, axis=1)
    share = len(padded) / care.size

    def prediction(patch_format):
        predicted = predict_bits(net.n_in, net.n_out, counts, method, patch_format)
        return {name: share * bits for name, bits in predicted.items()}

    assert_within_limit(bits, care, net, method, prediction, slicing=slicing)


def test_a_slice_without_redundant_rows_has_no_patches():
    # 5 care bits of 64 columns: redundant once in 2^59.
    predicted = predict_bits(64, 128, np.full(100, 5), patch_format="care")
    assert predicted["code_bits"] == 0.5
    assert predicted["patch_bits"] == pytest.approx((100 + 8) / 12800)


def test_a_full_slice_has_a_patch_for_every_other_redundant_row():
    # 84 rows of 20 columns: rank 20, 64 redundant rows, 32 patches by greedy search, each in ceil(lg 84) bits.
    greedy = predict_bits(20, 84, 0.0, "greedy", "care", n_weights=84_000)
    positions = 1000 * 32 * 7 / 84_000
    assert greedy["patch_bits"] > positions
    assert predict_bits(20, 84, 0.0, "minimum", "care", n_weights=84_000)["patch_bits"] < positions


@pytest.mark.parametrize("patch_format", PATCH_FORMATS)
@pytest.mark.parametrize(("n_in", "prune_rate"), [(20, 0.9), (12, 0.98), (40, 0.6)])
def test_chosen_n_out_needs_the_fewest_bits(n_in, prune_rate, patch_format):
    chosen = choose_n_out(n_in, prune_rate, "greedy", patch_format)
    assert chosen % 32 == 0
    assert chosen > n_in

    def bits(n_out):
        return sum(predict_bits(n_in, n_out, prune_rate, "greedy", patch_format).values())

    middle = n_in / (1 - prune_rate)
    others = [n_out for n_out in range(32 * (n_in // 32 + 1), 1600, 32) if 0.5 < n_out / middle < 1.7]
    assert bits(chosen) <= 1.002 * min(bits(n_out) for n_out in others)


@pytest.mark.parametrize(
    ("n_in", "prune_rate", "patch_format", "n_out"),
    [(20, 0.9, "paper", 224), (20, 0.9, "care", 224), (64, 0.9, "care", 672), (64, 0.91, "enumerative", 768)],
)
def test_chosen_n_out_of_known_cases(n_in, prune_rate, patch_format, n_out):
    assert choose_n_out(n_in, prune_rate, patch_format=patch_format) == n_out


@pytest.mark.parametrize("n_in", [1, 20, 31, 32, 64, 128])
@pytest.mark.parametrize("prune_rate", [0.0, 0.1, 0.5, 0.999, 0.9999999, 1.0])
def test_chosen_n_out_is_valid_at_the_ends(n_in, prune_rate):
    n_out = choose_n_out(n_in, prune_rate)
    assert n_out % 32 == 0
    assert n_in < n_out <= 1 << 14


def test_chosen_n_out_of_a_mask_follows_its_layout():
    care = uneven_mask((400, 1000), seed=2)
    bits = np.random.default_rng(3).random(care.shape) < 0.5
    for slicing in ("row_major", "interleaved"):
        chosen = choose_n_out(20, care, "greedy", slicing=slicing)
        sizes = {
            n_out: encode(bits, care, XorNetwork.random(20, n_out), "greedy", slicing=slicing).bits_per_weight
            for n_out in (chosen - 32, chosen, chosen + 32)
        }
        assert sizes[chosen] <= 1.005 * min(sizes.values())
    assert choose_n_out(20, np.ones((3, 4), dtype=bool)) == 32
    assert choose_n_out(20, np.zeros((3, 4), dtype=bool)) == 32


def test_refuses_what_is_no_mask():
    with pytest.raises(ValueError, match=r"the prune rate is 0 to 1, not 1\.5"):
        predict_bits(20, 64, 1.5)
    with pytest.raises(ValueError, match="a bit plane holds at least one weight"):
        choose_n_out(20, np.ones((0, 4), dtype=bool))
    with pytest.raises(ValueError, match="'unary'"):
        predict_bits(20, 64, 0.5, patch_format="unary")
