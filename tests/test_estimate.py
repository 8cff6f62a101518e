import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorjax.estimate import duration, seconds_left

KINDS = ("dense", "prune", "quantize", "encode")
TRAINED = KINDS[:3]
counts = st.fixed_dictionaries({kind: st.integers(0, 100) for kind in KINDS})
rates = st.fixed_dictionaries({kind: st.floats(0.01, 100) for kind in KINDS})


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (50_000, "14 h")]
)
def test_a_duration_has_the_unit_that_readers_expect(seconds, text):
    assert duration(seconds) == text


@given(left=counts, done=counts, rates=rates, at_once=st.integers(1, 8))
def test_constant_rates_are_found(left, done, rates, at_once):
    done = {kind: n + 1 for kind, n in done.items()}
    spent = {kind: n * rates[kind] for kind, n in done.items()}
    expected = sum(n * rates[kind] for kind, n in left.items()) / at_once
    assert seconds_left(left, done, spent, TRAINED, at_once) == pytest.approx(expected)


@given(left=counts, done=counts, rates=rates)
def test_it_is_none_or_no_less_than_what_is_known(left, done, rates):
    spent = {kind: n * rates[kind] for kind, n in done.items()}
    known = sum(n * rates[kind] for kind, n in left.items() if done[kind])
    guess = seconds_left(left, done, spent, TRAINED, 1)
    assert guess is None or guess >= known * (1 - 1e-9)


def test_epochs_of_a_kind_not_met_are_not_guessed_if_they_are_most():
    """Dense epochs cost many times those of a pruning whose convolutions are frozen."""
    done, spent = {"dense": 4}, {"dense": 40.0}
    assert seconds_left({"dense": 4, "prune": 40, "encode": 9}, done, spent, TRAINED, 1) is None
    assert seconds_left({"dense": 4, "prune": 3, "encode": 9}, done, spent, TRAINED, 1) == 40 + 30 + 9


def test_nothing_known_is_none_and_nothing_left_is_zero():
    assert seconds_left({"dense": 4}, {}, {}, TRAINED, 1) is None
    assert seconds_left({}, {"dense": 4}, {"dense": 40.0}, TRAINED, 1) == 0
