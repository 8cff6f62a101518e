import subprocess
import sys
from contextlib import contextmanager

import pytest

from xorjax import trackers
from xorjax.trackers import LIBRARIES, TrackerError, open_trackers


class Failing:
    """A tracker that fails where `where` says."""

    def __init__(self, where):
        self.where, self.calls = where, []

    @contextmanager
    def stage(self, kind, name, params):
        self.fail("begin")
        yield lambda row: self.fail("epoch")
        self.fail("end")

    def point(self, point, title, row):
        self.fail("point")

    def fail(self, here):
        self.calls.append(here)
        if here == self.where:
            raise RuntimeError(f"database is locked at {here}\nSELECT ...")


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(trackers, "_warned", set())


@pytest.mark.parametrize(
    ("where", "calls"),
    [
        ("begin", ["begin", "point"]),
        ("epoch", ["begin", "epoch", "end", "point"]),
        ("end", ["begin", "epoch", "epoch", "end", "point"]),
        ("point", ["begin", "epoch", "epoch", "end", "point"]),
    ],
)
def test_a_failing_tracker_is_said_once_and_stops_nothing(where, calls, capsys):
    failing = Failing(where)
    tracker = trackers._Harmless("mlflow", failing)
    with tracker.stage("dense", "a-1", {}) as log:
        log({"epoch": 1})
        log({"epoch": 2})
    tracker.point("p-1", "", {})
    assert failing.calls == calls
    assert capsys.readouterr().err == (
        f"warning: the tracker mlflow failed, the run continues: RuntimeError: database is locked at {where}\n"
    )


@pytest.mark.parametrize("where", ["begin", "end", None])
def test_an_error_of_the_stage_goes_through(where):
    tracker = trackers._Harmless("mlflow", Failing(where))
    with pytest.raises(KeyboardInterrupt), tracker.stage("dense", "a-1", {}):
        raise KeyboardInterrupt


def test_the_stage_tells_its_tracker_how_it_ended():
    ends = []

    class Watching(Failing):
        @contextmanager
        def stage(self, kind, name, params):
            try:
                yield lambda row: None
            except BaseException as error:
                ends.append(type(error))
                raise
            ends.append(None)

    tracker = trackers._Harmless("mlflow", Watching(None))
    with tracker.stage("dense", "a-1", {}):
        pass
    with pytest.raises(ZeroDivisionError), tracker.stage("dense", "a-1", {}):
        raise ZeroDivisionError
    assert ends == [None, ZeroDivisionError]


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_is_named_before_anything_runs(name, tmp_path, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda library: None)
    with pytest.raises(TrackerError, match=rf"pip install 'xorjax\[{name}\]'"):
        open_trackers([name], tmp_path)


def test_opening_imports_no_library_and_writes_nothing(tmp_path):
    code = (
        "import sys; from pathlib import Path; from xorjax.trackers import open_trackers;"
        f"open_trackers(['tensorboard', 'mlflow'], Path({str(tmp_path)!r}));"
        "print(*sorted({'mlflow', 'tensorboardX'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
    assert list(tmp_path.iterdir()) == []
