import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from stage_rows import ROW, epochs, interrupted_stage

from xorjax.trackers import open_trackers

# 2026-11: MLflow 3.17 uses a loader strategy that SQLAlchemy 2.1 is to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One store for all tests, which use names of their own: importing and making it takes seconds."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        # Whatever MLflow puts into the working directory would be seen here.
        (runs / "here").mkdir()
        patch.chdir(runs / "here")
        yield runs
        assert list((runs / "here").iterdir()) == []


@pytest.fixture(scope="module")
def tracker(runs):
    return open_trackers(["mlflow"], runs)[0]


@pytest.fixture(scope="module")
def client(tracker, runs):
    return tracker.tracker.client


def find_runs(client, experiment, name):
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], f"tags.`xorjax.name` = '{name}'")


def steps(client, run, key="train_loss"):
    return [metric.step for metric in client.get_metric_history(run.info.run_id, key)]


def test_a_stage_is_a_run(tracker, client, runs):
    with tracker.stage("dense", "a-1", {"seed": 0, "prune": {"rate": 0.9, "through": (0.5, 0.9)}}) as log:
        for row in epochs(1, 3):
            log(row)
    (run,) = find_runs(client, "stages", "a-1")
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "stage": "dense",
        "seed": "0",
        "prune.rate": "0.9",
        "prune.through": "(0.5, 0.9)",
    }
    assert run.data.metrics == {"train_loss": 1 / 3, "validation_accuracy": 0.875}
    assert steps(client, run) == [1, 2, 3]
    assert (runs / "mlflow" / "mlflow.db").is_file()
    assert run.info.artifact_uri.startswith((runs / "mlflow" / "artifacts").as_uri())


@pytest.mark.parametrize("history", [epochs(1, 3), [], epochs(1, 4)], ids=len)
def test_a_resumed_stage_has_each_epoch_once(tracker, client, history):
    name = f"b-{len(history)}"
    with pytest.raises(KeyboardInterrupt):
        interrupted_stage(tracker, name, epochs(1, 3))
    (run,) = find_runs(client, "stages", name)
    assert run.info.status == "KILLED"
    with tracker.stage("dense", name, {"seed": 0, "code": {"n_in": 12}}) as log:
        (run,) = find_runs(client, "stages", name)
        assert run.info.status == "RUNNING"
        for row in [*history, *epochs(1, 5)]:
            log(row)
    (run,) = find_runs(client, "stages", name)
    assert sorted(steps(client, run)) == [1, 2, 3, 4, 5]
    assert run.info.status == "FINISHED"


def test_a_stage_that_is_made_again_has_a_new_run(tracker, client):
    for loss in (1.0, 2.0):
        with tracker.stage("dense", "c-1", {}) as log:
            log({"epoch": 1, "train_loss": loss, "metric": "accuracy"})
    (run,) = find_runs(client, "stages", "c-1")
    assert run.data.metrics == {"train_loss": 2.0}
    assert steps(client, run) == [1]


def test_a_stage_that_fails_is_marked(tracker, client):
    with pytest.raises(ZeroDivisionError), tracker.stage("dense", "d-1", {}):
        raise ZeroDivisionError
    assert find_runs(client, "stages", "d-1")[0].info.status == "FAILED"


def test_a_point_told_twice_is_one_run(tracker, client):
    for _ in range(2):
        tracker.point("p-1", "S 0.95, n_in 20", ROW)
    tracker.point("p-1", "S 0.95, n_in 20", ROW | {"test_metric": 0.5})
    (run,) = find_runs(client, "tiny", "p-1/fc1")
    assert run.info.run_name == "S 0.95, n_in 20"
    assert run.data.params["n_in"] == "20"
    assert run.data.metrics["test_accuracy"] == 0.5
    assert run.data.metrics["bits_per_weight"] == 0.32
    assert len(steps(client, run, "bits_per_weight")) == 1


def test_telemetry_is_off(client):
    from mlflow.telemetry.client import get_telemetry_client

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert get_telemetry_client() is None


def test_a_locked_database_does_not_stop_the_stage(tracker, client, runs, capsys, monkeypatch):
    from sqlalchemy import event

    monkeypatch.setattr("xorjax.trackers._warned", set())
    engine = client._tracking_client.store.engine

    def impatient(connection, cursor, statement, *_):
        # MLflow asks for 20 s at the beginning of each session.
        return cursor.connection.execute("PRAGMA busy_timeout = 50") and None

    done = []
    with tracker.stage("dense", "e-1", {}) as log:
        event.listen(engine, "before_cursor_execute", impatient)
        other = sqlite3.connect(runs / "mlflow" / "mlflow.db")
        other.execute("BEGIN EXCLUSIVE")
        for row in epochs(1, 3):
            log(row)
            done.append(row)
        other.rollback()
        other.close()
    event.remove(engine, "before_cursor_execute", impatient)
    assert len(done) == 3
    errors = capsys.readouterr().err
    assert errors.startswith("warning: the tracker mlflow failed, the run continues: ")
    assert errors.endswith("database is locked\n")
    assert errors.count("\n") == 1


PROCESS = """
import sys, time
from pathlib import Path
from stage_rows import ROW, epochs
from xorjax.trackers import open_trackers
runs, number = Path(sys.argv[1]), int(sys.argv[2])
(tracker,) = open_trackers(["mlflow"], runs)
import mlflow
(runs / f"ready{number}").touch()
deadline = time.monotonic() + 60
while len(list(runs.glob("ready*"))) < 2 and time.monotonic() < deadline:
    time.sleep(0.01)
with tracker.stage("dense", f"stage-{number}", {"seed": number}) as log:
    for row in epochs(1, 40):
        log(row)
tracker.point("shared", "S 0.95", ROW)
"""


@pytest.mark.slow
def test_two_processes_write_at_the_same_time(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path), str(number)],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    said = [process.communicate()[1] for process in processes]
    # Who makes the database's tables may say so.
    assert [process.returncode for process in processes] == [0, 0], said
    assert not any(word in text for text in said for word in ("warning", "WARNING", "Error"))
    client = open_trackers(["mlflow"], tmp_path)[0].tracker.client
    for number in range(2):
        (run,) = find_runs(client, "stages", f"stage-{number}")
        assert sorted(steps(client, run)) == list(range(1, 41))
    (run,) = find_runs(client, "tiny", "shared/fc1")
    assert run.data.metrics["bits_per_weight"] == 0.32


def test_a_directory_may_have_any_name(tmp_path):
    runs = tmp_path / "a?1%20#{b}"
    (tracker,) = open_trackers(["mlflow"], runs)
    assert tracker.tracker.client.search_experiments()
    assert [path.name for path in tmp_path.iterdir()] == [runs.name]
    assert (runs / "mlflow/mlflow.db").is_file()
