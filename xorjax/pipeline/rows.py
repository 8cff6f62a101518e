"""The result rows of a point: one for each layer with the XOR code, one for each of its baselines."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from xorjax.pipeline.artifact import Artifact
from xorjax.pipeline.plan import Plan, xor_shape
from xorjax.pipeline.provenance import provenance, versions
from xorjax.results.rows import SCHEMA

BITS = ("code_bits", "patch_bits", "index_bits", "scale_bits")


def failed_row(plan: Plan, command: str, error: str) -> dict:
    """What is known of a point that failed."""
    return _row(plan, command) | {"status": "failed", "error": error}


def point_rows(
    plan: Plan,
    command: str,
    seconds: float,
    *,
    dense: Artifact,
    pruned: Artifact,
    quantized: Artifact,
    baselines: Artifact,
    encoded: Artifact,
    evaluated: Artifact,
) -> list[dict]:
    """All rows of a finished point; bits are per weight of the layer, pruned ones included.

    `seconds` is what all stages of the point took, whichever commands made them and shared with whichever points.
    """
    config, xor = plan.config, plan.config.xor
    n_in, n_out = xor_shape(config)
    artifacts = (dense, pruned, quantized, baselines, encoded, evaluated)
    shared = _row(plan, command) | {
        "status": "ok",
        "dense_accuracy": dense.summary["test_accuracy"],
        "pruned_accuracy": pruned.summary["test_accuracy"],
        "quantized_accuracy": quantized.summary["test_accuracy"],
        "dense_validation_accuracy": dense.summary["validation_accuracy"],
        "quantized": plan.quantize.name,
        "validation_accuracy": quantized.summary["validation_accuracy"],
        "n_test": evaluated.summary["n_test"],
        "commit": ", ".join(dict.fromkeys(artifact.commit for artifact in artifacts)),
        "wall_seconds": round(seconds, 3),
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

    def rows() -> Iterator[dict]:
        for path, layer in encoded.summary["layers"].items():
            of_layer = {key: layer[key] for key in ("n_weights", "n_kept", "n_planes")} | {
                "layer": path.rpartition("/")[0]
            }
            yield (
                xor_row
                | of_layer
                | _per_weight(layer, layer["n_weights"])
                | {
                    "n_slices": layer["n_slices"],
                    # Encoded by 0.1, which searched greedily: none.
                    "n_bounded": layer.get("n_bounded", 0),
                    "kept_score": 1.0 if plan.mask is None else pruned.summary["kept_score"][path],
                    "matrix_bits": n_in * n_out / layer["n_weights"],
                    "patches_per_slice": layer["n_patches"] / layer["n_slices"],
                    "xor_sha256": layer["xor_sha256"],
                }
            )
            for name, bits in baselines.summary["layers"][path].items():
                measured = {"test_accuracy": shared["quantized_accuracy"], "lossless": True}
                # Signs without a mask are those of a binary network that was never pruned: nobody trained it here.
                unpruned = {"test_accuracy": None, "lossless": None}
                yield (
                    shared
                    | of_layer
                    | {"method": name}
                    | (unpruned if name == "dense" else measured)
                    | _per_weight({"scale_bits": layer["scale_bits"]} | bits, layer["n_weights"])
                )

    return list(rows())


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
    } | {key: value for key, value in provenance().items() if key in SCHEMA}
    return dict.fromkeys(SCHEMA) | known


def _per_weight(bits: dict, n_weights: int) -> dict[str, float]:
    each = {key: bits.get(key, 0) / n_weights for key in BITS}
    return each | {"bits_per_weight": sum(bits.get(key, 0) for key in BITS) / n_weights}
