import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import optuna
import pytest
from sqlalchemy import Engine, event
from trials import ACCURACY, AXES, outcome_of

from xorjax.search.study import DatabaseError, Result, Study


def open_study(runs, seed=0, metric=ACCURACY):
    return Study(runs, "tiny", "search-0", AXES, metric, seed)


def run(study, n_trials):
    """Runs what there is to run; the settings, in order."""
    settings = []
    while True:
        with study.next_trial(n_trials) as trial:
            if trial is None:
                return settings
            settings.append(trial.settings)
            study.tell(trial, outcome_of(trial.settings))


def settings_of(study):
    return [finished.trial.settings for finished in study.finished()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The settings of 14 trials in one go, and the run directories after 2 and 12: 10 are random, the rest are not."""
    runs, settings, after = tmp_path_factory.mktemp("whole"), [], {}
    for n_trials in (2, 12, 14):
        settings += run(open_study(runs), n_trials)
        after[n_trials] = shutil.copytree(runs, tmp_path_factory.mktemp("after") / "runs")
    return settings, after


@pytest.fixture(params=[2, 12])
def begun(whole, request, tmp_path):
    """A run directory of its own with 2 or 12 trials done, and the settings of the others."""
    settings, after = whole
    return shutil.copytree(after[request.param], tmp_path / "runs"), settings[request.param :]


def test_a_study_has_as_many_trials_as_are_asked_for(tmp_path):
    assert len(run(open_study(tmp_path), 3)) == 3
    study = open_study(tmp_path)
    assert len(run(study, 5)) == 2
    assert run(study, 5) == run(study, 4) == []
    assert [f.trial.number for f in study.finished()] == [0, 1, 2, 3, 4]
    assert [f.result for f in study.finished()] == [outcome_of(settings) for settings in settings_of(study)]
    assert (tmp_path / "reports" / "tiny" / "search.db").is_file()


def test_what_is_drawn_depends_on_the_seed_alone(tmp_path, whole):
    settings, _ = whole
    assert len({str(chosen) for chosen in settings}) > 10
    assert run(open_study(tmp_path / "a"), 3) == settings[:3]
    assert run(open_study(tmp_path / "b", seed=1), 3) != settings[:3]


def test_an_interrupted_trial_is_run_again_and_the_rest_is_the_same(begun):
    runs, left = begun
    with pytest.raises(KeyboardInterrupt), open_study(runs).next_trial(14) as trial:
        raise KeyboardInterrupt
    assert trial.settings == left[0]
    study = open_study(runs)
    assert run(study, 14)[:3] == left[:3]
    assert study.n_trials == 14


@pytest.mark.parametrize("n_drawn", [0, 1, 2])
def test_a_trial_interrupted_while_its_settings_are_drawn_gets_the_same(begun, n_drawn, monkeypatch):
    runs, left = begun
    suggest, calls = optuna.Trial._suggest, []

    def interrupted(self, name, distribution):
        if len(calls) == n_drawn:
            raise KeyboardInterrupt
        calls.append(name)
        return suggest(self, name, distribution)

    monkeypatch.setattr(optuna.Trial, "_suggest", interrupted)
    with pytest.raises(KeyboardInterrupt), open_study(runs).next_trial(14):
        pass
    monkeypatch.undo()
    with open_study(runs).next_trial(14) as trial:
        assert trial.settings == left[0]


def test_a_trial_that_another_runs_is_left_to_it(tmp_path):
    mine, others = open_study(tmp_path), open_study(tmp_path)
    with mine.next_trial(2) as first, others.next_trial(2) as second:
        assert (first.number, second.number) == (0, 1)
        with open_study(tmp_path).next_trial(2) as third:
            assert third is None
        others.tell(second, outcome_of(second.settings))
    # The first was left without a result.
    with others.next_trial(2) as again:
        assert again == first


def test_a_trial_that_ends_while_it_is_looked_at_is_not_run_again(tmp_path, monkeypatch):
    """Another command tells its end between the look at the trials and the claim."""
    one, other = open_study(tmp_path), open_study(tmp_path)
    with ExitStack() as held:
        trial = held.enter_context(one.next_trial(3))
        looked = other._trials

        def end_after_the_look():
            seen = looked()
            if one.finished() == []:
                one.tell(trial, outcome_of(trial.settings))
                held.close()
            return seen

        monkeypatch.setattr(other, "_trials", end_after_the_look)
        with other.next_trial(3) as second:
            assert second.number == 1
            other.tell(second, outcome_of(second.settings))
    assert [finished.trial.number for finished in other.finished()] == [0, 1]


def test_trials_whose_points_failed_are_repeated_once_a_command(tmp_path):
    study = open_study(tmp_path)
    for points in (True, False):
        with study.next_trial(4) as trial:
            study.refuse(trial, "why", points=points)
    assert study.reasons() == {0: "why", 1: "why"}
    study.repeat_failed()
    study.repeat_failed()
    with study.next_trial(2) as again:
        study.tell(again, outcome_of(again.settings))
    assert again.number == 2
    with study.next_trial(2) as none:
        assert none is None
    assert study.n_trials == 2
    study.repeat_failed()
    with study.next_trial(2) as none:
        assert none is None


def test_the_repeated_trial_has_the_same_settings(tmp_path):
    study = open_study(tmp_path)
    with study.next_trial(1) as trial:
        study.refuse(trial, "why", points=True)
    study.repeat_failed()
    with study.next_trial(1) as again:
        assert again.settings == trial.settings


def test_of_a_trial_that_is_repeated_the_repetition_tells(tmp_path):
    study = open_study(tmp_path)
    for reason in ("first", "second"):
        study.repeat_failed()
        with study.next_trial(1) as trial:
            study.refuse(trial, reason, points=True)
    assert study.reasons() == {1: "second"}
    study.repeat_failed()
    with study.next_trial(1) as trial:
        study.tell(trial, outcome_of(trial.settings))
    assert study.reasons() == {}


def test_a_trial_that_is_interrupted_while_it_is_refused_is_run_again(tmp_path, monkeypatch):
    study = open_study(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(study._study, "tell", lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt), study.next_trial(1) as trial:
            study.refuse(trial, "why", points=True)
    assert study.reasons() == {}
    study.repeat_failed()
    with study.next_trial(1) as again:
        assert again == trial
        study.tell(again, outcome_of(again.settings))
    study.repeat_failed()
    with study.next_trial(1) as none:
        assert none is None
    assert study.reasons() == {}


@pytest.fixture
def limit_pages():
    """Limits the database to a number of pages: beyond them SQLite says that the disk is full."""
    limits = []

    def connected(connection, record):
        connection.execute(f"PRAGMA max_page_count = {limits[-1] if limits else 2**20}")

    event.listen(Engine, "connect", connected)
    yield limits.append
    event.remove(Engine, "connect", connected)


@pytest.mark.parametrize("n_pages", [1, 20, 33])
def test_a_full_database_is_said_by_name_and_loses_nothing(tmp_path, limit_pages, n_pages):
    limit_pages(n_pages)
    told = []
    with pytest.raises(
        DatabaseError, match=r"search\.db: database or disk is full; .* run the same command to resume"
    ):
        run_until_full(tmp_path, told)
    limit_pages(2**20)
    settings = [trial.settings for trial in told]
    assert settings_of(open_study(tmp_path)) == settings
    run(open_study(tmp_path), len(told) + 2)
    assert [f.trial.number for f in open_study(tmp_path).finished()] == list(range(len(told) + 2))
    assert settings_of(open_study(tmp_path))[: len(told)] == settings


def run_until_full(runs, told):
    study = open_study(runs)
    while True:
        with study.next_trial(1000) as trial:
            study.tell(trial, outcome_of(trial.settings))
            told.append(trial)


def test_the_front_is_what_no_trial_beats(tmp_path):
    study = open_study(tmp_path)
    results = [(0.3, 0.9), (0.2, 0.8), (0.25, 0.7), (0.1, 0.6)]
    for bits, accuracy in results:
        with study.next_trial(9) as trial:
            study.tell(trial, Result(bits, accuracy, 0.5))
    assert [f.result.bits_per_weight for f in study.front()] == [0.1, 0.2, 0.3]


def test_equal_trials_are_known(tmp_path):
    study = open_study(tmp_path)
    with study.next_trial(2) as first:
        assert study.equal(first) is None
        study.tell(first, Result(0.3, 0.9, 0.8))
    assert study.equal(first) == (0, Result(0.3, 0.9, 0.8))


PROCESS = """
import os, signal, sys, time
from pathlib import Path
from trials import ACCURACY, AXES, outcome_of
from xorjax.search.study import Study
runs, (n_trials, kill_at, wait_at) = Path(sys.argv[1]), map(int, sys.argv[2:])
study, killed, n = Study(runs, "tiny", "search-0", AXES, ACCURACY), runs / "killed", 0
while True:
    with study.next_trial(n_trials) as trial:
        if trial is None:
            break
        n += 1
        if n == kill_at:
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        end = time.monotonic() + 300
        while n == wait_at and not killed.exists() and time.monotonic() < end:
            time.sleep(0.01)
        study.tell(trial, outcome_of(trial.settings))
"""


@pytest.mark.slow
@pytest.mark.parametrize("size", [4, 100, 128, 144, 160, 190, 240])
def test_a_full_disk_loses_nothing(disk, size):
    mount = disk(f"size={size}k")
    told = []
    with pytest.raises(DatabaseError, match=r"search\.db: database or disk is full"):
        run_until_full(mount / "runs", told)
    disk("remount", "size=100m", "ro")
    with pytest.raises(OSError, match="Read-only file system"):
        open_study(mount / "runs")
    disk("remount", "size=100m", "rw")
    run(open_study(mount / "runs"), len(told) + 2)
    study = open_study(mount / "runs")
    assert [f.trial.number for f in study.finished()] == list(range(len(told) + 2))
    assert settings_of(study)[: len(told)] == [trial.settings for trial in told]


@pytest.mark.slow
def test_processes_that_are_killed_lose_no_trial(tmp_path):
    def start(n_trials, *, kill_at=0, wait_at=0):
        return subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path), str(n_trials), str(kill_at), str(wait_at)],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )

    # Both begin the study at the same moment. One is killed in its second trial; the other, which may be faster, leaves
    # it enough of the eight for that.
    together = [start(8, kill_at=2), start(8, wait_at=4)]
    assert [process.wait() for process in together] == [-signal.SIGKILL, 0]
    assert start(10, kill_at=1).wait() == -signal.SIGKILL
    assert start(10).wait() == 0
    study = open_study(tmp_path)
    assert [f.trial.number for f in study.finished()] == list(range(10))
    assert study.n_trials == 10


@pytest.mark.parametrize("name", ["a?1", "a%201", "a#b", "a{b}", "ä b"])
def test_a_directory_may_have_any_name(tmp_path, name):
    open_study(tmp_path / name)
    (database,) = tmp_path.rglob("search.db")
    assert database == tmp_path / name / "reports/tiny/search.db"
    assert [path.name for path in tmp_path.iterdir()] == [name]
