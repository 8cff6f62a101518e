"""Points of a sweep as the pipeline would write them, with invented but plausible numbers."""

import hashlib
import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import polars as pl

from xorjax.files import sha256, write_record
from xorjax.results.collect import read_experiment, tabulate, write_table
from xorjax.results.columns import METRICS, accuracy_column
from xorjax.results.configs import distinct, to_column
from xorjax.results.rows import COLUMNS, OF_XOR_CODES

N_WEIGHTS = 400_000
BASELINES = {
    "dense": ("dense", None),
    "bitmap_signs": ("signs", "bitmap"),
    "ternary_ans": ("ans_signs", "ans"),
    "csr5": ("signs", "csr5"),
    "golomb_signs": ("signs", "golomb"),
    "ans_rc_signs": ("signs", "ans_rc"),
}
"""The rivals that the pipeline shows beside every point: a code and the mask codec beside it."""
# Of approximate mask codecs: index bits over the entropy, magnitude kept, accuracy lost.
APPROXIMATE = {"lowrank": (0.4, 0.93, 0.0008), "codebook": (0.7, 0.96, 0.0004), "xor": (0.6, 0.97, 0.0002)}
# Index bits of exact ones over the entropy, about.
EXACT = {"ans": 1.005, "ans_rc": 0.97, "csr4": 1.25, "csr5": 1.15, "csr8": 1.5, "golomb": 1.04}


PERPLEXITY = {"task": "language", "metric": "perplexity", "metric_unit": "", "higher_is_better": False}
PERPLEXITY |= {"metric_tolerance": 0.5, "dense_metric": 90.0, "dense_validation_metric": 91.0}
PERPLEXITY |= {"pruned_metric": 90.2, "quantized_metric": 90.3}


def entropy(rate: float) -> float:
    return -rate * math.log2(rate) - (1 - rate) * math.log2(1 - rate)


def quantized_name(config: dict[str, Any]) -> str:
    """The artifact of the quantized model: of all settings but those of the coding."""
    kept = {key: value for key, value in config.items() if key not in ("code", "paths")}
    if kept.get("mask", {}).get("codec") not in APPROXIMATE:
        kept.pop("mask", None)
    return f"quantize-{hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]}"


SEARCH = {"method": "greedy", "patch_format": "paper"}


def make_config(**changes: Any) -> dict[str, Any]:
    """A resolved config; `changes` are dotted keys with `__` for the dot."""
    config: dict[str, Any] = {
        "experiment": "lenet_sweep",
        "seed": 0,
        "freeze": ["conv1", "conv2"],
        "data": {"name": "mnist", "dir": "data", "n_train": None},
        "model": {"name": "lenet5"},
        "optim": {"name": "adam", "learning_rate": 0.001, "epochs": 10, "batch_size": 128},
        "prune": {"rate": 0.95, "layers": ["fc1"], "strategy": "continue", "schedule": {"levels": 3}},
        "quantize": {"n_planes": 1, "scale": "channel", "ste": "clipped"},
        "task": {"id": "images"},
        "code": {"id": "xor", "n_in": 20, "n_out": 320, "fill": None, "seed": 0} | SEARCH,
        "mask": {"codec": "ans", "rank": 16},
        "paths": {"root": ".", "runs": "runs"},
    }
    for key, value in changes.items():
        *groups, name = key.split("__")
        place = config
        for group in groups:
            place = place[group]
        place[name] = value
    return config


def make_row(**values: Any) -> dict[str, Any]:
    """A row of an XOR code at S = .95; `values` replace its columns, those of the accuracy by the metric's."""
    row = dict.fromkeys(COLUMNS) | {"experiment": "lenet_sweep", "point": "p0", "status": "ok"}
    row |= {"model": "lenet5", "dataset": "mnist", "layer": "fc1", "task": "images", "seed": 0}
    row |= {"prune_rate": 0.95, "n_in": 20, "n_out": 320, "method": "greedy", "patch_format": "paper"}
    row |= {"code": "xor", "mask_codec": "ans", "slicing": "interleaved", "baseline": False}
    row |= {"metric": "accuracy", "metric_unit": "%", "higher_is_better": True, "metric_tolerance": 0.0015}
    row |= {
        "dense_metric": 0.9920,
        "pruned_metric": 0.9918,
        "quantized_metric": 0.9915,
        "test_metric": 0.9915,
    }
    row |= {"validation_metric": 0.991, "dense_validation_metric": 0.991, "dense_epochs": 10, "epochs": 28}
    row |= {"code_bits": 0.0625, "patch_bits": 0.0175, "index_bits": 0.29, "scale_bits": 0.04}
    row |= {"bits_per_weight": 0.41, "patches_per_slice": 0.5, "matrix_bits": 0.0, "lossless": True}
    row |= {"n_weights": N_WEIGHTS, "n_kept": 20_000, "n_slices": 1250, "n_planes": 1, "n_bounded": 0}
    row |= {"n_test": 10_000, "kept_score": 1.0, "file_bytes": 20_500, "file_bits_per_parameter": 0.4123}
    row |= {"command": "python scripts/train.py +experiment=lenet_sweep", "wall_seconds": 1.5}
    row |= {"finished_at": "2026-11-24T05:30:00Z", "commit": 40 * "0", "jax_version": "0.12.0"}
    row |= values
    # A reference that is as good as the dense network, unless it is said.
    for split in ("", "validation_"):
        if f"reference_{split}metric" not in values:
            row[f"reference_{split}metric"] = row[f"dense_{split}metric"]
    row |= {accuracy_column(name): row[name] if row["metric"] == "accuracy" else None for name in METRICS}
    config = make_config(seed=row["seed"], prune__rate=row["prune_rate"])
    if not row["baseline"]:
        coding = ("n_in", "n_out", "method", "patch_format") if row["code"] == "xor" else ()
        config["code"] = {"id": row["code"], "seed": 0} | {key: row[key] for key in coding}
        config["mask"] |= {"codec": row["mask_codec"]}
    row["config"] = values.get("config", config)
    return row | {"quantized": values.get("quantized", quantized_name(row["config"]))}


NOT_OF_OTHERS = (*OF_XOR_CODES, "fill", "xor_seed", "xor_sha256", "matrix_bits", "slicing")


def make_other(code: str, mask_codec: str | None, **values: Any) -> dict[str, Any]:
    """A row of a point whose own code is not the XOR code; `values` as for `make_row`."""
    nothing = dict.fromkeys(NOT_OF_OTHERS)
    return make_row(**{**nothing, "code": code, "mask_codec": mask_codec, "patch_bits": 0.0, **values})


def make_baseline(name: str, index_bits: float, code_bits: float, **values: Any) -> dict[str, Any]:
    """A row of a baseline, by its name in `BASELINES`; `values` as for `make_row`."""
    own = {"baseline": True, "kept_score": None, "index_bits": index_bits, "code_bits": code_bits}
    own |= {"bits_per_weight": index_bits + code_bits + values.get("scale_bits", 0.04)}
    return make_other(*BASELINES[name], **own | values)


def make_point(name: str, rows: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    """The content of a point file, but that each row has its config."""
    point = {"point": name, "status": "ok", "rows": [{**row, "point": name} for row in rows], "error": None}
    return point | {"compressed": "encode/x/model.safetensors", "curves": [], **values}


def make_failure(name: str, message: str, **values: Any) -> dict[str, Any]:
    """The content of a failed point's file."""
    row = {**dict.fromkeys(COLUMNS), "experiment": "lenet_sweep", "status": "failed", "error": message}
    row |= {"command": "python scripts/train.py +experiment=lenet_sweep seed=9", **values}
    return make_point(name, [row], status="failed", error=message, compressed="")


def write_report(
    runs: Path, points: list[dict[str, Any]], planned: list[str] | None = None, **plan_values: Any
) -> Path:
    """A report directory with these finished points, or points of these rows; `planned` defaults to just them."""
    points = [each if "rows" in each else make_point(f"p{i}", [each]) for i, each in enumerate(points)]
    report_dir = runs / "reports" / "lenet_sweep"
    (report_dir / "points").mkdir(parents=True)
    plan = {
        "experiment": "lenet_sweep",
        "points": planned or [point["point"] for point in points],
        "command": "python scripts/train.py +experiment=lenet_sweep",
        "swept": swept(points),
        **plan_values,
    }
    (report_dir / "plan.json").write_text(json.dumps(plan))
    for point in points:
        (report_dir / "points" / f"{point['point']}.json").write_text(json.dumps(as_written(point)))
    return report_dir


def as_written(point: dict[str, Any]) -> dict[str, Any]:
    """The config once for all rows, as the pipeline writes it."""
    rows = [dict(row) for row in point["rows"]]
    configs = [row.pop("config", None) for row in rows]
    shared = all(config == configs[0] for config in configs) and configs
    return point | ({"rows": rows, "config": configs[0]} if shared else {})


def swept(points: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """What a plan would say that these points' settings differ in."""
    configs = [row["config"] for point in points for row in point["rows"] if row["config"]]
    values = distinct(to_column(configs)) if configs else {}
    return {key: [v for v in seen if v is not None] for key, seen in values.items() if len(seen) > 1}


def collect(report_dir: Path) -> pl.DataFrame:
    """The table of an experiment, and its files beside it."""
    table = tabulate(read_experiment(report_dir))
    write_table(table, report_dir)
    return table


def write_metrics(runs: Path, name: str, epochs: int, start: float, end: float, noise: random.Random) -> str:
    """An artifact whose validation accuracy goes from `start` to `end`; the path of its metrics below `runs`."""
    path = runs / name / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for epoch in range(1, epochs + 1):
        accuracy = end - (end - start) * math.exp(-1.1 * (epoch - 1)) + noise.gauss(0, 0.0003)
        line = {"epoch": epoch, "step": 430 * epoch, "train_loss": 4 * (1 - accuracy) / (1 + 0.25 * epoch)}
        line |= {"train_metric": min(1.0, accuracy + 0.004), "validation_loss": 3.3 * (1 - accuracy)}
        line |= {"validation_metric": accuracy, "learning_rate": 1e-3, "metric": "accuracy"}
        lines.append(json.dumps(line))
    path.write_text("\n".join(lines) + "\n")
    write_record(path.with_name("artifact.json"), {"files": {path.name: sha256(path)}})
    return f"{name}/metrics.jsonl"


def sweep(
    runs: Path,
    rates: tuple[float, ...] = (0.9, 0.95, 0.98),
    n_ins: tuple[int, ...] = (12, 20, 32),
    fills: tuple[float, ...] = (0.8, 1.0),
    n_seeds: int = 3,
    layers: tuple[str, ...] = ("fc1",),
    methods: tuple[str, ...] = ("greedy",),
    patch_formats: tuple[str, ...] = ("paper",),
    mask_codecs: tuple[str, ...] = ("ans",),
    chance: int = 0,
) -> list[dict[str, Any]]:
    """All points of a sweep; writes the metrics that their curves name."""
    noise = random.Random(chance)
    points = []
    for seed in range(n_seeds):
        dense_accuracy = round(noise.gauss(0.9926, 0.0003), 4)
        dense = write_metrics(runs, f"dense/{seed}", 10, 0.97, dense_accuracy, noise)
        curves = [{"stage": "dense", "title": f"seed {seed}", "metrics": dense}]
        for rate in rates:
            loss = noise.gauss({0.9: 0.0001, 0.95: 0.0006}.get(rate, 0.0022), 0.0003)
            accuracy = round(dense_accuracy - loss, 4)
            prune = write_metrics(runs, f"prune/{seed}-{rate}", 4, accuracy - 0.006, accuracy, noise)
            title = f"S = {rate:g}, seed {seed}"
            curves = [*curves, {"stage": "prune", "title": title, "metrics": prune}]
            quantize = write_metrics(runs, f"quantize/{seed}-{rate}", 6, accuracy - 0.02, accuracy, noise)
            both = [*curves, {"stage": "quantize", "title": title, "metrics": quantize}]
            common = {"seed": seed, "prune_rate": rate, "dense_metric": dense_accuracy}
            common |= {"dense_validation_metric": dense_accuracy, "n_kept": round(N_WEIGHTS * (1 - rate))}
            for *coding, codec in itertools.product(n_ins, fills, methods, patch_formats, mask_codecs):
                _, kept_score, lost = APPROXIMATE.get(codec, (1, 1.0, 0.0))
                measured = ("test_metric", "quantized_metric", "validation_metric")
                own = common | dict.fromkeys(measured, accuracy - lost) | {"kept_score": kept_score}
                rows = _rows(layers, own | {"mask_codec": codec}, *coding, noise)
                points.append(make_point(f"{len(points):04d}-s{seed}-r{rate:g}", rows, curves=both))
    return points


def _rows(
    layers: tuple[str, ...],
    own: dict[str, Any],
    n_in: int,
    fill: float,
    method: str,
    patch_format: str,
    noise: random.Random,
) -> list[dict[str, Any]]:
    rate, codec, n_out = own["prune_rate"], own["mask_codec"], round(fill * n_in / (1 - own["prune_rate"]))
    over_entropy = APPROXIMATE[codec][0] if codec in APPROXIMATE else EXACT[codec]
    index_bits = entropy(rate) * over_entropy + 0.0004
    coding = {"n_in": n_in, "n_out": n_out, "fill": fill, "method": method, "patch_format": patch_format}
    settings = {"seed": own["seed"], "prune__rate": rate, "prune__layers": list(layers), "mask__codec": codec}
    config = make_config(**settings, **{f"code__{name}": value for name, value in coding.items()})
    rows = []
    for layer in layers:
        patches = max(0.05, 0.5 * (fill - 0.62) * n_in * (1.5 if n_in < 16 else 1.0) + noise.gauss(0, 0.02))
        if method == "minimum":
            patches *= 0.6
        width = math.ceil(math.log2(n_out)) if patch_format == "paper" else 4
        bits = {
            "code_bits": n_in / n_out,
            "patch_bits": (3 + patches * width) / n_out,
            "index_bits": index_bits,
        }
        bits |= {"bits_per_weight": sum(bits.values()) + 0.04, "patches_per_slice": patches}
        common = own | {"layer": layer, "config": config}
        rows.append(make_row(**common, **coding, **bits, n_slices=math.ceil(N_WEIGHTS / n_out)))
        kept = 1 - rate
        symbols = kept / (1 - rate**31)
        sizes = {"dense": (0.0, 1.0), "bitmap_signs": (1.0, kept), "csr5": (5 * symbols, symbols)}
        sizes["ternary_ans"] = (entropy(rate) * 1.003, kept * 1.001)
        sizes |= {f"{codec}_signs": (entropy(rate) * EXACT[codec], kept) for codec in ("golomb", "ans_rc")}
        own_code = {"mask_codec", "kept_score"}
        of_rivals = {name: value for name, value in common.items() if name not in own_code}
        rows += [make_baseline(name, *sizes[name], **of_rivals) for name in BASELINES]
    return rows
