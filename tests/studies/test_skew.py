"""What uneven signs are worth to a searched XOR code is counted as the codes would."""

import numpy as np
import pytest

from xorjax.codec.xor import XorCode
from xorjax.studies.skew import Guess, by_contexts, by_rows, guessed, inverted, plain

CODE = XorCode(n_in=12, n_out=64)


def layer(seed=0, shape=(90, 70), keep=0.15):
    """Rows of mostly one sign."""
    rng = np.random.default_rng(seed)
    plane = rng.random(shape) < rng.choice([0.1, 0.9], size=(shape[0], 1))
    return plane, rng.random(shape) < keep


def test_without_a_guess_it_is_the_code_itself_and_an_empty_list():
    plane, mask = layer()
    found = guessed(plane, mask, CODE, Guess(np.full(mask.shape, 0.5), 0), 0.5)
    assert (found.share, found.wrong, found.as_set) == (0, 0, plain(plane, mask, CODE))
    n_slices = -(-mask.size // 64) + 2  # a count of no guesses is a bit
    assert 0 < found.by_slice - found.as_set <= 8 * -(-n_slices // 8) + 16


def test_certain_guesses_leave_an_empty_code():
    plane, mask = layer()
    found = guessed(plane, mask, CODE, Guess(plane.astype(float), 7), 0.1)
    assert (found.share, found.wrong) == (1, 0)
    assert found.as_set == plain(plane, np.zeros_like(mask), CODE) + 7


def test_wrong_guesses_are_counted():
    plane, mask = layer()
    found = guessed(plane, mask, CODE, Guess(np.full(mask.shape, 0.9), 0), 0.2)
    assert found.wrong == pytest.approx(float((~plane)[mask].mean()))
    assert found.by_slice > found.as_set


@pytest.mark.parametrize(("by", "least"), [(by_contexts, 0.3), (by_rows, 0.7)])
def test_rows_of_mostly_one_sign_are_foretold(by, least):
    plane, mask = layer()
    found = guessed(plane, mask, XorCode(n_in=12), by(plane, mask), 0.3)
    assert found.share > least
    assert found.wrong < 0.2
    assert found.as_set < plain(plane, mask, XorCode(n_in=12))


def test_rows_say_how_many_are_plus():
    mask = np.array([[True, True, True, False], [False] * 4])
    guess = by_rows(np.array([[True, True, False, True], [True] * 4]), mask)
    np.testing.assert_allclose(guess.plus, np.where(mask, 2 / 3, 0.5))
    assert guess.side_bits == 4


def test_inverted_slices_have_no_more_patches_and_pay_a_bit_each():
    plane, mask = layer(keep=0.3)
    n_slices = -(-mask.size // 64)
    assert inverted(plane, mask, CODE) <= plain(plane, mask, CODE) + 8 * -(-(n_slices + 3) // 8) + 16
