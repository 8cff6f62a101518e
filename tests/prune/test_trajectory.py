from xorjax.config.schema import PruneConfig, ScheduleConfig
from xorjax.prune.trajectory import trajectory

SWEEP = ScheduleConfig(name="linear", first=0.5, last=0.9, levels=3)


def at(rate, through=(0.9, 0.95, 0.98)):
    return trajectory(PruneConfig(rate=rate, schedule=SWEEP, through=through))


def test_points_at_levels_share_one_trajectory():
    assert at(0.98) == (0.5, 0.7, 0.9, 0.95, 0.98)
    assert at(0.95) == at(0.98)[:4]
    assert at(0.9) == at(0.98)[:3]


def test_a_rate_between_levels_branches_from_the_level_below():
    assert at(0.93) == (*at(0.9), 0.93)


def test_a_rate_above_the_last_level_is_one_level_more():
    assert at(0.99) == (*at(0.98), 0.99)


def test_rate_zero_prunes_nothing():
    assert at(0.0) == ()


def test_a_level_met_by_schedule_and_through_is_visited_once():
    assert at(0.95, through=(0.9,)) == (0.5, 0.7, 0.9, 0.95)
