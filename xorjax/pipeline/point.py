"""One point of an experiment on disk: its record of result rows, written when all its stages are there."""

from collections.abc import Mapping
from pathlib import Path

from xorjax import paths
from xorjax.artifacts.artifact import Artifact, existing, find
from xorjax.artifacts.graph import Stage
from xorjax.config.reads import determining
from xorjax.files import read_record, write_record
from xorjax.metric import Metric
from xorjax.pipeline.plan import Plan, code_numbers
from xorjax.pipeline.rows import failed_row, point_rows
from xorjax.results.configs import plain as told
from xorjax.results.rows import RowError, check_row
from xorjax.streams import bits_over_layers


def point_file(plan: Plan) -> Path:
    """Where the point's record is."""
    runs = Path(plan.config.paths.runs)
    return paths.point_file(paths.report_dir(runs, plan.config.report), plan.point)


def finished_rows(plan: Plan) -> list[dict] | None:
    """The rows of the point if it finished before and the artifacts that users take from it are still whole.

    The others may be gone; those that are there must be the ones that it was made from.

    Raises:
        ArtifactError: an artifact is damaged, or was made from another than the one that is there now.
    """
    try:
        record = read_record(point_file(plan))
        for row in record["rows"]:
            row["config"] = record["config"]
            check_row(row)
        if record["status"] != "ok":
            return None
    except (OSError, ValueError, KeyError, RowError):
        # Not there, damaged, or of a version with other columns: the artifacts hold all of it.
        return None
    runs = Path(plan.config.paths.runs)
    found = {stage.name: artifact for stage in plan.stages if (artifact := find(runs, stage)) is not None}
    _check_chain(plan, found)
    for stage in (plan.encode, plan.evaluate):
        existing(runs, stage).check()
    return record["rows"]


def finish_point(plan: Plan, command: str) -> list[dict]:
    """Write the record of a point whose stages are all there; returns its rows.

    Raises:
        ArtifactError: a stage is damaged, gone, or was made from another than the one that is there now.
    """
    runs = Path(plan.config.paths.runs)
    artifacts = {stage.name: existing(runs, stage) for stage in plan.stages}
    _check_chain(plan, artifacts)
    rows = point_rows(plan, command, artifacts)
    for stage in (plan.encode, plan.evaluate):
        artifacts[stage.name].check()
    _write(plan, "ok", rows, None)
    return rows


def fail_point(plan: Plan, command: str, error: str) -> None:
    """Write the record of a point that failed: what is known of it."""
    _write(plan, "failed", [failed_row(plan, command, error)], error)


def titles(plans: Mapping[str, Plan]) -> dict[str, str]:
    """A name for people of each point; what else tells points apart that would have the same is added to it."""
    short: dict[str, list[str]] = {}
    for point, plan in plans.items():
        code = ", ".join((plan.config.code.id, *(f"{n} {v}" for n, v in code_numbers(plan.config).items())))
        name = f"S {plan.config.prune.rate:g}, {code}, seed {plan.config.seed}"
        short.setdefault(name, []).append(point)
    named = {}
    for name, points in short.items():
        settings = [determining(plans[point].config) for point in points]
        differing = [key for key in settings[0] if any(own.get(key) != settings[0][key] for own in settings)]
        for point, own in zip(points, settings, strict=True):
            named[point] = ", ".join((name, *(f"{key}={told(own.get(key), key)}" for key in differing)))
    return {point: named[point] for point in plans}


def outcome(rows: list[dict], metric: Metric) -> str:
    """What came out of a point, in one line."""
    own = [row for row in rows if not row["baseline"]]
    value, total = bits_over_layers(own, "code_bits", "patch_bits"), bits_over_layers(own)
    first = own[0]
    return (
        f"{total:.4f} bits/weight, {value:.4f} of them values, "
        f"{metric.name} {metric.text(first['test_metric'])} "
        f"(reference {metric.text(first['reference_metric'])}, dense {metric.text(first['dense_metric'])})"
    )


def _check_chain(plan: Plan, artifacts: Mapping[str, Artifact]) -> None:
    """An artifact that was made again elsewhere may differ in a last digit: what was made from the old one goes too."""
    for stage in plan.stages:
        artifact = artifacts.get(stage.name)
        if artifact is None or artifact.made_from is None:
            continue
        for need in plan.needs(stage):
            source = artifacts.get(need.name)
            if source is not None and artifact.made_from.get(need.name) != source.digest:
                raise artifact.error(
                    f"{artifact.directory}: it was made from a different version of {need.name}"
                )


def _write(plan: Plan, status: str, rows: list[dict], error: str | None) -> None:
    for row in rows:
        check_row(row)
    runs = Path(plan.config.paths.runs)
    record = {
        "point": plan.point,
        "status": status,
        # All rows have one config, which is longer than the rest of them.
        "config": rows[0]["config"],
        "rows": [{key: value for key, value in row.items() if key != "config"} for row in rows],
        "error": error,
        # Below the runs directory, as those of the curves.
        "compressed": str(paths.artifact_dir(Path(), plan.encode.kind, plan.encode.name) / paths.COMPRESSED),
        "curves": [
            {
                "stage": stage.kind,
                "title": _curve_title(plan, stage),
                "metrics": str(metrics.relative_to(runs)),
            }
            for stage in plan.stages
            if stage.epochs
            and (metrics := paths.artifact_dir(runs, stage.kind, stage.name) / paths.METRICS).exists()
        ],
    }
    write_record(point_file(plan), record)


def _curve_title(plan: Plan, stage: Stage) -> str:
    seed = f"seed {plan.config.seed}"
    if stage is plan.dense:
        return f"{stage.kind}, {seed}"
    # Without a prune rate: points of several share it.
    if stage is plan.reference:
        return f"{stage.kind} after {len(plan.unpruned)} levels, {seed}"
    if stage in plan.unpruned:
        return f"{stage.kind}, level {plan.unpruned.index(stage) + 1}, {seed}"
    return f"{stage.kind}, S = {getattr(stage, 'prune_rate', plan.config.prune.rate):.6g}, {seed}"
