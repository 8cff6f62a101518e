"""What is left of a command, in numbers."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from xorjax.artifacts import workload
from xorjax.artifacts.graph import Stage
from xorjax.artifacts.workload import Workload

DENSE, PRUNE, MORE, ENCODE = (
    Stage("dense", "d", 8),
    Stage("prune", "p1", 4),
    Stage("prune", "p2", 4),
    Stage("encode", "e"),
)
STAGES = (DENSE, PRUNE, MORE, ENCODE)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that only the test lets pass."""
    now = [100.0]
    monkeypatch.setattr(workload.time, "monotonic", lambda: now[0])
    return now


def test_a_stage_counts_for_its_epochs_and_any_other_for_one():
    work = Workload(STAGES, {}, 1)
    assert (work.total, work.left) == (17, 17)
    assert work.seconds_left is None


def test_each_kind_is_taken_at_its_own_rate():
    work = Workload(STAGES, {"d": 80.0, "p1": 8.0}, 1)
    assert (work.total, DENSE in work, MORE in work) == (5, False, True)
    # Four epochs at 2 s, and one encoding, not met yet, at 1 s.
    assert work.seconds_left == pytest.approx(4 * 2 + 1)
    assert Workload(STAGES, {"d": 80.0, "p1": 8.0}, 2).seconds_left == pytest.approx((4 * 2 + 1) / 2)


def test_epochs_under_way_are_through_and_tell_the_rate(clock):
    work = Workload(STAGES, {"d": 80.0, "p1": 8.0}, 1)
    work.begin(MORE, 0)
    clock[0] += 18
    assert work.reach(MORE, 2).epochs == 2
    assert work.reach(MORE, 2) is None
    assert work.left == 3
    # 8 s for the first four epochs, 18 s for the two since.
    assert work.seconds_left == pytest.approx(2 * 26 / 6 + 1)


def test_epochs_of_an_earlier_command_are_not_of_this_ones_seconds(clock):
    work = Workload(STAGES, {"d": 80.0, "p1": 8.0}, 1)
    work.begin(MORE, 3)
    assert work.left == 2
    clock[0] += 5
    work.end(MORE, 5.0)
    work.add(PRUNE)
    # 8 s for four epochs, 5 s for one.
    assert work.seconds_left == pytest.approx(4 * 13 / 5 + 1)


def test_what_is_dropped_made_or_found_again_is_counted_once():
    work = Workload(STAGES, {}, 1)
    assert work.remove(PRUNE)
    assert not work.remove(PRUNE)
    work.add(MORE)
    assert work.left == 13
    for stage in (DENSE, MORE, ENCODE):
        work.begin(stage, 0)
        work.end(stage, 1.0)
    assert (work.left, work.seconds_left) == (0, 0.0)


def test_a_stage_that_was_not_made_is_still_to_do():
    work = Workload(STAGES, {}, 1)
    work.begin(DENSE, 0)
    work.end(DENSE, None)
    assert (work.left, work.running) == (17, [])


def test_several_threads_ask_while_stages_end():
    stages = [Stage("prune", f"p{i}", 4) for i in range(300)]
    work = Workload(stages, {}, 4)

    def make(stage):
        work.begin(stage, 0)
        for epoch in range(1, 5):
            work.reach(stage, epoch)
        work.end(stage, 1.0)

    def ask(_):
        assert 0 <= work.left <= work.total
        assert work.seconds_left is None or work.seconds_left >= 0

    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(make, stage) for stage in stages]
        asked = [pool.submit(ask, i) for i in range(300)]
        for future in (*made, *asked):
            future.result()
    assert work.left == 0
