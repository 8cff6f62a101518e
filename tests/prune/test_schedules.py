import pytest

from xorjax.config.schema import ScheduleConfig
from xorjax.prune.trajectory import SPACINGS, rates

TABLES = [
    (ScheduleConfig("linear", 0.5, 0.9, 5), [0.5, 0.6, 0.7, 0.8, 0.9]),
    # Densities .5, .1: each level keeps the same share of the one before, here 5^-1/2 = .4472.
    (ScheduleConfig("geometric", 0.5, 0.9, 3), [0.5, 1 - 0.5 * 0.2**0.5, 0.9]),
    # 80 % of what is left at every level, the classic of the lottery ticket papers.
    (ScheduleConfig("geometric", 0.2, 0.5904, 4), [0.2, 0.36, 0.488, 0.5904]),
    # .9 - .8 (1 - t)^3 at t = 0, 1/4, 1/2, 3/4, 1.
    (ScheduleConfig("cubic", 0.1, 0.9, 5), [0.1, 0.5625, 0.8, 0.8875, 0.9]),
]


@pytest.mark.parametrize(("schedule", "expected"), TABLES, ids=[s.name for s, _ in TABLES])
def test_rates_follow_the_table(schedule, expected):
    assert rates(schedule) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", SPACINGS)
def test_rates_rise_from_first_to_last(name):
    found = rates(ScheduleConfig(name, 0.3, 0.95, 7))
    assert len(found) == 7
    assert found[0] == pytest.approx(0.3)
    assert found[-1] == pytest.approx(0.95)
    assert list(found) == sorted(set(found))


@pytest.mark.parametrize("name", SPACINGS)
def test_one_level_goes_straight_to_the_last_rate(name):
    assert rates(ScheduleConfig(name, 0.3, 0.95, 1)) == pytest.approx((0.95,))
