"""The result rows of a point: one for each layer with the XOR code, one for each of its baselines."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.provenance import device, provenance, versions
from xorjax.pipeline.plan import Plan, xor_shape
from xorjax.results.rows import SCHEMA
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
    config, xor = plan.config, plan.config.xor
    n_in, n_out = xor_shape(config)
    stages = (plan.dense, plan.pruned, plan.quantize, plan.baselines, plan.encode, plan.evaluate)
    dense, pruned, quantized, baselines, encoded, evaluated = (artifacts[stage.name] for stage in stages)
    shared = _row(plan, command) | {
        "status": "ok",
        "dense_accuracy": dense.summary["test_accuracy"],
        "pruned_accuracy": pruned.summary["test_accuracy"],
        "quantized_accuracy": quantized.summary["test_accuracy"],
        "dense_validation_accuracy": dense.summary["validation_accuracy"],
        "quantized": plan.quantize.name,
        "validation_accuracy": quantized.summary["validation_accuracy"],
        "n_test": evaluated.summary["n_test"],
        "commit": ", ".join(dict.fromkeys(artifacts[stage.name].commit for stage in stages)),
        # Of all stages, whichever commands made them and shared with whichever points.
        "wall_seconds": round(sum(artifact.seconds for artifact in artifacts.values()), 3),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    xor_row = shared | {
        "n_in": n_in,
        "n_out": n_out,
        "fill": xor.fill,
        "method": xor.method,
        "layout": xor.layout,
        "patch_format": xor.patch_format,
        "mask_codec": config.mask.codec,
        "xor_seed": xor.seed,
        "test_accuracy": evaluated.summary["test_accuracy"],
        "logit_difference": evaluated.summary["logit_difference"],
        "file_bytes": encoded.summary["file_bytes"],
        # `evaluate` fails the point otherwise.
        "lossless": True,
    }

    kept_scores = dict.fromkeys(encoded.summary["layers"], 1.0)
    if plan.mask is not None:
        kept_scores = pruned.summary["kept_score"]
    # Not noted by 0.1.
    flipped = quantized.summary.get("flipped_signs", {})
    rows = []
    for path, layer in encoded.summary["layers"].items():
        own = {key: layer[key] for key in ("n_weights", "n_kept", "n_planes")}
        own["layer"] = path.rpartition("/")[0]
        of_code = {
            "kept_score": kept_scores[path],
            "flipped_signs": flipped.get(path),
            "matrix_bits": n_in * n_out / layer["n_weights"],
        }
        rows.append(xor_row | own | of_code | _code(layer))
        for name, bits in baselines.summary["layers"][path].items():
            rows.append(shared | own | _baseline(name, bits, layer, shared["quantized_accuracy"]))
    return rows


def _code(layer: dict) -> dict:
    return _per_weight(layer, layer["n_weights"]) | {
        "n_slices": layer["n_slices"],
        # Encoded by 0.1, which searched greedily: none.
        "n_bounded": layer.get("n_bounded", 0),
        "patches_per_slice": layer["n_patches"] / layer["n_slices"],
        "xor_sha256": layer["xor_sha256"],
    }


def _baseline(name: str, bits: dict, layer: dict, accuracy: float) -> dict:
    # Signs without a mask are those of a binary network that was never pruned: nobody trained it here.
    measured = name != "dense"
    return _per_weight({"scale_bits": layer["scale_bits"]} | bits, layer["n_weights"]) | {
        "method": name,
        "test_accuracy": accuracy if measured else None,
        "lossless": True if measured else None,
    }


def _row(plan: Plan, command: str) -> dict:
    config = plan.config
    known = {
        "experiment": config.report,
        "model": config.model.name,
        "dataset": config.data.name,
        "seed": config.seed,
        "prune_rate": config.prune.rate,
        "command": command,
        "point": plan.point,
        "config": json.dumps(asdict(config), sort_keys=True),
        "versions": json.dumps(versions()),
        "device": device(),
    } | {key: value for key, value in provenance().items() if key in SCHEMA}
    return dict.fromkeys(SCHEMA) | known


def _per_weight(bits: dict, n_weights: int) -> dict[str, float]:
    each = {key: bits.get(key, 0) / n_weights for key in BIT_STREAMS}
    return each | {"bits_per_weight": sum(bits.get(key, 0) for key in BIT_STREAMS) / n_weights}
