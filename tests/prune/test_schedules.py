import pytest

from xorjax.prune.trajectory import SCHEDULES, Cubic, Geometric, Linear

TABLES = [
    (Linear(0.5, 0.9, 5), [0.5, 0.6, 0.7, 0.8, 0.9]),
    # Densities .5, .1: each level keeps the same share of the one before, here 5^-1/2 = .4472.
    (Geometric(0.5, 0.9, 3), [0.5, 1 - 0.5 * 0.2**0.5, 0.9]),
    # 80 % of what is left at every level, the classic of the lottery ticket papers.
    (Geometric(0.2, 0.5904, 4), [0.2, 0.36, 0.488, 0.5904]),
    # .9 - .8 (1 - t)^3 at t = 0, 1/4, 1/2, 3/4, 1.
    (Cubic(0.1, 0.9, 5), [0.1, 0.5625, 0.8, 0.8875, 0.9]),
]


@pytest.mark.parametrize(("schedule", "expected"), TABLES, ids=[type(s).__name__ for s, _ in TABLES])
def test_rates_follow_the_table(schedule, expected):
    assert schedule.rates() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_rise_from_first_to_last(name):
    rates = SCHEDULES[name](0.3, 0.95, 7).rates()
    assert len(rates) == 7
    assert rates[0] == pytest.approx(0.3)
    assert rates[-1] == pytest.approx(0.95)
    assert list(rates) == sorted(set(rates))


@pytest.mark.parametrize("name", SCHEDULES)
def test_one_level_goes_straight_to_the_last_rate(name):
    assert SCHEDULES[name](0.3, 0.95, 1).rates() == pytest.approx((0.95,))
