"""One point of an experiment: all its stages, its result rows, the report brought up to date."""

import json
import time
from pathlib import Path

from xorjax import paths
from xorjax.config.schema import Config
from xorjax.files import write_text
from xorjax.pipeline import sweep
from xorjax.pipeline.artifact import find
from xorjax.pipeline.baselines import baselines
from xorjax.pipeline.dense import dense
from xorjax.pipeline.encode import encode
from xorjax.pipeline.evaluate import evaluate
from xorjax.pipeline.mask import mask
from xorjax.pipeline.plan import Plan, Stage, make_plan, xor_shape
from xorjax.pipeline.progress import Progress
from xorjax.pipeline.prune import prune
from xorjax.pipeline.quantize import quantize
from xorjax.pipeline.rows import failed_row, point_rows
from xorjax.results.rows import RowError, check_row


def run_point(config: Config, command: str) -> None:
    """Run the point, or find it finished; `command` is the line that runs it alone.

    A point that fails leaves a row that says so, then the exception goes on.
    """
    plan = make_plan(config)
    runs = Path(config.paths.runs)
    file = paths.point_file(paths.report_dir(runs, config.experiment), plan.point)
    progress = sweep.progress(config, command)
    record = _finished(plan, runs, file)
    if record is None:
        try:
            rows = _run(plan, runs, progress, command)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            _write(file, plan, runs, "failed", [failed_row(plan, command, failure)], failure)
            progress.point(f"{_title(config)}: failed: {error}")
            sweep.update_report(config)
            raise
        record = _write(file, plan, runs, "ok", rows, None)
        sweep.update_report(config)
    progress.point(f"{_title(config)}: {_outcome(record['rows'])}")


def _run(plan: Plan, runs: Path, progress: Progress, command: str) -> list[dict]:
    began = time.perf_counter()
    dense_model = dense(plan, runs, progress)
    pruned = prune(plan, dense_model, runs, progress)
    pruned = mask(plan, dense_model, pruned, runs, progress)
    quantized = quantize(plan, dense_model, pruned, runs, progress)
    sizes = baselines(plan, quantized, runs, progress)
    encoded = encode(plan, pruned, quantized, runs, progress)
    evaluated = evaluate(plan, quantized, encoded, runs, progress)
    return point_rows(
        plan,
        command,
        time.perf_counter() - began,
        dense=dense_model,
        pruned=pruned,
        quantized=quantized,
        baselines=sizes,
        encoded=encoded,
        evaluated=evaluated,
    )


def _finished(plan: Plan, runs: Path, file: Path) -> dict | None:
    """The point's record if it finished before and the artifacts it rests on are still there."""
    if not file.exists() or find(runs, plan.evaluate) is None or find(runs, plan.encode) is None:
        return None
    try:
        record = json.loads(file.read_text())
        for row in record["rows"]:
            check_row(row)
    except (ValueError, KeyError, RowError):
        # Damaged, or of a version with other columns: the artifacts hold all of it.
        return None
    return record if record["status"] == "ok" else None


def _write(file: Path, plan: Plan, runs: Path, status: str, rows: list[dict], error: str | None) -> dict:
    for row in rows:
        check_row(row)
    record = {
        "point": plan.point,
        "status": status,
        "rows": rows,
        "error": error,
        "compressed": compressed_file(plan),
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
    write_text(file, json.dumps(record, indent=1))
    return record


def compressed_file(plan: Plan) -> str:
    """The compressed file of the point, below the runs directory."""
    return str(paths.artifact_dir(Path(), plan.encode.kind, plan.encode.name) / paths.COMPRESSED)


def _curve_title(plan: Plan, stage: Stage) -> str:
    rate = f", S = {getattr(stage, 'prune_rate', plan.config.prune.rate):.6g}"
    return f"{stage.kind}{'' if stage is plan.dense else rate}, seed {plan.config.seed}"


def _title(config: Config) -> str:
    n_in, n_out = xor_shape(config)
    return f"S {config.prune.rate:g}, n_in {n_in}, n_out {n_out}, seed {config.seed}"


def _outcome(rows: list[dict]) -> str:
    xor = [row for row in rows if row["n_out"] is not None]
    n_weights = sum(row["n_weights"] for row in xor)
    value, total = (
        sum(row["n_weights"] * sum(row[key] for key in keys) for row in xor) / n_weights
        for keys in (("code_bits", "patch_bits"), ("bits_per_weight",))
    )
    first = xor[0]
    return (
        f"{value:.4f} value bits, {total:.4f} bits/weight, "
        f"accuracy {first['test_accuracy']:.2%} (dense {first['dense_accuracy']:.2%})"
    )
