"""The result rows of a point: one for each layer with the point's own code, one for each of its baselines."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.provenance import device, provenance, versions
from xorjax.config.schema import Config
from xorjax.params import layer_name
from xorjax.pipeline.plan import Plan
from xorjax.results.columns import METRICS, accuracy_column
from xorjax.results.rows import COLUMNS
from xorjax.settings import plain
from xorjax.streams import BIT_STREAMS


def failed_row(plan: Plan, command: str, error: str) -> dict:
    """What is known of a point that failed."""
    return _row(plan, command) | {"status": "failed", "error": error}


def point_rows(plan: Plan, command: str, artifacts: Mapping[str, Artifact]) -> list[dict]:
    """All rows of a finished point; bits are per weight of the layer, pruned ones included.

    Args:
        plan: the point's.
        command: what runs the point alone.
        artifacts: those of its stages, by name.
    """
    trained = (plan.dense, plan.reference, plan.pruned, plan.quantize)
    stages = (*trained, plan.baselines, plan.encode, plan.evaluate)
    dense, reference, pruned, quantized, baselines, encoded, evaluated = (
        artifacts[stage.name].summary for stage in stages
    )
    shared = _row(plan, command) | {
        "status": "ok",
        "dense_metric": dense["test_metric"],
        "reference_metric": reference["test_metric"],
        "pruned_metric": pruned["test_metric"],
        "quantized_metric": quantized["test_metric"],
        "dense_validation_metric": dense["validation_metric"],
        "reference_validation_metric": reference["validation_metric"],
        "dense_epochs": plan.dense.epochs,
        "epochs": plan.epochs,
        "validation_metric": quantized["validation_metric"],
        "quantized": plan.quantize.name,
        "n_test": evaluated["n_test"],
        "commit": ", ".join(dict.fromkeys(artifacts[stage.name].commit for stage in stages)),
        # Of all stages, whichever commands made them and shared with whichever points.
        "wall_seconds": round(sum(artifact.seconds for artifact in artifacts.values()), 3),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    # An exact codec keeps all. What 0.1 quantized does not say which signs training changed.
    kept_scores, flipped = pruned.get("kept_score", {}), quantized.get("flipped_signs", {})
    rows = []
    for path, layer in encoded["layers"].items():
        of_layer = plan.config.for_layer(layer_name(path))
        common = shared | {key: layer[key] for key in ("n_weights", "n_kept", "n_planes")}
        common |= {"layer": layer_name(path), "prune_rate": of_layer.prune.rate}
        common |= baselines.get("entropies", {}).get(path, {})
        own = {
            "baseline": False,
            "fill": getattr(of_layer.code, "fill", None),
            "kept_score": kept_scores.get(path, 1.0),
            "flipped_signs": flipped.get(path),
            "test_metric": evaluated["test_metric"],
            "logit_difference": evaluated["logit_difference"],
            "file_bytes": encoded["file_bytes"],
            "file_bits_per_parameter": _per_parameter(encoded["file_bytes"], encoded),
            # `evaluate` fails the point otherwise.
            "lossless": True,
        }
        rows.append(common | _coded(layer, layer) | own | _described(layer))
        for rival in baselines["layers"][path]:
            # Signs without a mask are those of a binary network that was never pruned: nobody trained it here.
            measured = rival["mask_codec"] is not None or layer["n_kept"] == layer["n_weights"]
            of_rival = {
                "baseline": True,
                "test_metric": quantized["test_metric"] if measured else None,
                "lossless": True if measured else None,
                "file_bytes": rival.get("file_bytes"),
                "file_bits_per_parameter": _per_parameter(rival.get("file_bytes"), encoded),
            }
            rows.append(common | _coded({"scale_bits": layer["scale_bits"]} | rival, layer) | of_rival)
    return [row | _accuracies(row) for row in rows]


def nested(config: Config) -> dict[str, Any]:
    """The config as a row holds it; `per_layer` as a JSON text, since its keys are patterns and not settings."""
    return plain(config) | {"per_layer": json.dumps(config.per_layer)}


def _row(plan: Plan, command: str) -> dict:
    config, metric = plan.config, plan.config.task.metric
    known = {
        "experiment": config.report,
        "model": config.model.name,
        "dataset": config.data.name,
        "task": config.task.id,
        "metric": metric.name,
        "metric_unit": metric.unit,
        "higher_is_better": metric.higher_is_better,
        "metric_tolerance": metric.tolerance,
        "seed": config.seed,
        "prune_rate": config.prune.rate,
        "code": config.code.id,
        "baseline": False,
        "command": command,
        "point": plan.point,
        "config": nested(config),
        "versions": json.dumps(versions()),
        "device": device(),
    } | {key: value for key, value in provenance().items() if key in COLUMNS}
    return dict.fromkeys(COLUMNS) | known


def _accuracies(row: dict) -> dict[str, float | None]:
    """The columns that repeat the metric where it is the accuracy."""
    is_accuracy = row["metric"] == "accuracy"
    return {accuracy_column(name): row[name] if is_accuracy else None for name in METRICS}


def _coded(coded: dict, layer: dict) -> dict:
    """How and in how many bits a weight of the layer is stored."""
    return _per_weight(coded, layer["n_weights"]) | {key: coded[key] for key in ("code", "mask_codec")}


def _described(layer: dict) -> dict:
    """What the layer's code says of itself, and what follows from it."""
    columns = layer["columns"]
    found = {key: value for key, value in columns.items() if key in COLUMNS}
    if columns.get("n_slices") and "n_patches" in columns:
        found["patches_per_slice"] = columns["n_patches"] / columns["n_slices"]
    if columns.get("n_in") and columns.get("n_out"):
        # A stage that does not count it wrote a file with M in it.
        n_bits = layer.get("matrix_bits", columns["n_in"] * columns["n_out"])
        found["matrix_bits"] = n_bits / layer["n_weights"]
    return found


def _per_parameter(file_bytes: int | None, encoded: dict) -> float | None:
    """Bits of the whole file per parameter of the model; None where no stage counted them."""
    n_parameters = encoded.get("n_parameters")
    return None if file_bytes is None or n_parameters is None else 8 * file_bytes / n_parameters


def _per_weight(bits: dict, n_weights: int) -> dict[str, float]:
    each = {key: bits.get(key, 0) / n_weights for key in BIT_STREAMS}
    return each | {"bits_per_weight": sum(bits.get(key, 0) for key in BIT_STREAMS) / n_weights}
