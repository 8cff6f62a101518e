"""MLflow: a run for each stage and each point, in an SQLite store below `runs/mlflow`.

Look at it with `mlflow ui --backend-store-uri sqlite:///runs/mlflow/mlflow.db`. Nothing is sent anywhere.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from xorjax.locks import wait_for
from xorjax.settings import flattened
from xorjax.trackers import of_epoch, of_point

STAGES = "stages"
"""The MLflow experiment of all stages, which belong to no experiment of ours alone."""
NAME_TAG = "xorjax.name"
"""What a run is found by: the stage's name, or the point's with its layer."""


def create(directory: Path) -> "MLflow":
    return MLflow(directory)


class MLflow:
    """Keeps one MLflow run a name, whichever processes tell of it."""

    def __init__(self, directory: Path):
        self.directory = directory

    @cached_property
    def client(self) -> Any:
        """Opened at the first use: the import takes seconds, and so does making the database."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # Its errors come to us; it would print them with a traceback besides.
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "CRITICAL")
        from mlflow import MlflowClient
        from sqlalchemy import URL

        self.directory.mkdir(parents=True, exist_ok=True)
        # A path may hold what has a meaning in a URL.
        database = (self.directory / "mlflow.db").absolute()
        url = URL.create("sqlite", database=str(database)).render_as_string()
        with self._alone():
            client = MlflowClient(url)
            # MLflow makes the database's directory, and takes the URL for its path.
            with suppress(OSError):
                os.removedirs(Path(url.removeprefix("sqlite:///")).parent)
        return client

    @contextmanager
    def stage(self, kind: str, name: str, params: Mapping[str, Any]) -> Iterator[Callable[[dict], None]]:
        run = self._run(STAGES, name, name, anew=True)
        self._log_params(run, {"stage": kind, **dict(flattened(params))})
        run_id = run.info.run_id
        # The values of an epoch are written as one.
        told = {metric.step for metric in self.client.get_metric_history(run_id, "train_loss")}

        def log(row: dict) -> None:
            if row["epoch"] not in told:
                told.add(row["epoch"])
                self._log_metrics(run_id, of_epoch(row), row["epoch"])

        try:
            yield log
        except BaseException as error:
            self.client.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
            raise
        self.client.set_terminated(run_id)

    def point(self, point: str, title: str, row: dict) -> None:
        run = self._run(row["experiment"], f"{point}/{row['layer']}", title)
        params, metrics = of_point(row)
        self._log_params(run, params)
        # The same again would be a second entry of the same step.
        changed = {key: value for key, value in metrics.items() if run.data.metrics.get(key) != value}
        self._log_metrics(run.info.run_id, changed, 0)
        self.client.set_terminated(run.info.run_id)

    def _alone(self) -> AbstractContextManager[None]:
        return wait_for(self.directory / "mlflow.lock")

    def _run(self, experiment: str, name: str, title: str, anew: bool = False) -> Any:
        """The run of a name, made if there is none; with `anew`, one that has ended well gives way to a new one."""
        client = self.client
        # Other processes look for the same experiment, and for the same point.
        with self._alone():
            known = client.get_experiment_by_name(experiment)
            if known is None:
                artifacts = (self.directory / "artifacts").absolute().as_uri()
                experiment_id = client.create_experiment(experiment, artifact_location=artifacts)
            else:
                experiment_id = known.experiment_id
            for run in client.search_runs([experiment_id], f"tags.`{NAME_TAG}` = '{name}'"):
                if not (anew and run.info.status == "FINISHED"):
                    client.update_run(run.info.run_id, status="RUNNING")
                    return run
                client.delete_run(run.info.run_id)
            return client.create_run(experiment_id, run_name=title, tags={NAME_TAG: name})

    def _log_params(self, run: Any, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        # A run's params cannot be changed.
        missing = [Param(key, str(value)) for key, value in params.items() if key not in run.data.params]
        self.client.log_batch(run.info.run_id, params=missing)

    def _log_metrics(self, run_id: str, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(run_id, [Metric(key, value, now, step) for key, value in values.items()])
