"""The reports of a command: built now and then while points finish, and once they have."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from xorjax import paths
from xorjax.artifacts.artifact import ArtifactError, read_artifact
from xorjax.files import replacing

if TYPE_CHECKING:
    from xorjax.results.best import Best

SECONDS_BETWEEN_REPORTS = 15
SHARE_OF_REPORTS = 0.1
"""Of a command's time at most this share goes into reports, however many points they have."""


class Reports:
    """The reports under one run directory."""

    def __init__(self, runs: Path):
        self.runs = runs
        # When each was last built, and how long that took.
        self._built: dict[Path, tuple[float, float]] = {}

    def add(self, report: Path) -> None:
        """A report of the command, in whose directory the plan is."""
        self._built.setdefault(report, (0.0, 0.0))

    def update(self, report: Path) -> None:
        """Build the tables and the page, unless that was done a moment ago."""
        last, took = self._built[report]
        began = time.monotonic()
        if began - last <= max(SECONDS_BETWEEN_REPORTS, took / SHARE_OF_REPORTS):
            return
        from xorjax.results.report import build_report

        try:
            build_report(report)
        except Exception as error:
            # Days of training do not end for a page that will be built once more at the end.
            Console(stderr=True, soft_wrap=True).print(f"warning: no report for now: {error}", markup=False)
        self._built[report] = (time.monotonic(), time.monotonic() - began)

    def build(self) -> list[Path]:
        """Build all of them whole; returns the pages."""
        from xorjax.results.report import build_report

        return [build_report(report) for report in self._built]

    def conclude(self, console: Console) -> None:
        """Build all of them whole, copy the best models beside them, print the summary."""
        from xorjax.results.collect import read_experiment, tabulate
        from xorjax.results.tables import per_point, summarise_models, summarise_points
        from xorjax.results.terminal import ModelsTable, SummaryTable
        from xorjax.results.variants import varied_keys

        for report, page in zip(self._built, self.build(), strict=True):
            experiment = read_experiment(report)
            table = tabulate(experiment)
            points = per_point(table, varied_keys((table, experiment.swept)))
            best_points = summarise_points(points)
            told = self._copy_models(
                report, {point.name: point.compressed for point in experiment.points}, best_points
            )
            if models := summarise_models(points):
                console.print(ModelsTable(models))
            console.print(SummaryTable(best_points))
            for line in told:
                console.print(line, markup=False)
            if n_failed := sum(point.status == "failed" for point in experiment.points):
                console.print(
                    f"{n_failed} of {len(experiment.planned)} points failed and are not included above"
                )
            console.print(f"report: {page}", markup=False)

    def _copy_models(
        self, report: Path, files: Mapping[str, str], best_points: "Sequence[Best]"
    ) -> list[str]:
        """Copy the compressed file of the best point of each prune rate beside the report; a line for each."""
        lines = []
        best_models = {paths.best_model(report, best.prune_rate) for best in best_points}
        for stale in {*paths.best_models(report)} - best_models:
            stale.unlink(missing_ok=True)  # another command may be at it too
        for best in best_points:
            model = paths.best_model(report, best.prune_rate)
            model.parent.mkdir(exist_ok=True)
            source = self.runs / files[best.point]
            try:
                whole = read_artifact(source.parent).path(source.name)
                with replacing(model) as temporary:
                    shutil.copyfile(whole, temporary)
            except ArtifactError as error:
                # Of a point of an earlier command: this one's are whole.
                model.unlink(missing_ok=True)
                told = f"none: {error}; run its point again to rebuild it"
            else:
                told = str(model)
            lines.append(f"best model at S = {best.prune_rate:g}: {told}")
        return lines
