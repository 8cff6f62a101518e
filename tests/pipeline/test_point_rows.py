"""The result rows of a point, from what its stages say of themselves."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from xorjax.artifacts.artifact import Artifact
from xorjax.artifacts.graph import Stage
from xorjax.config.schema import Config
from xorjax.metric import ACCURACY, Metric
from xorjax.pipeline.plan import Plan
from xorjax.pipeline.progress import metric_called
from xorjax.pipeline.rows import failed_row, nested, point_rows
from xorjax.results.columns import METRICS, accuracy_column
from xorjax.results.rows import check_row

KINDS = ("dense", "reference", "quantize", "baselines", "encode", "evaluate")
XOR = {"n_in": 20, "n_out": 300, "method": "minimum", "patch_format": "care", "slicing": "interleaved"}
XOR |= {"xor_seed": 0, "xor_sha256": "0" * 64, "n_slices": 40, "n_bounded": 1, "n_patches": 100}
PERPLEXITY = Metric("perplexity", "", higher_is_better=False, tolerance=0.5)


@dataclass(frozen=True)
class Code:
    id: ClassVar[str] = "xor"
    n_in: int = 20
    fill: float | None = 0.8


@dataclass(frozen=True)
class Task:
    id: ClassVar[str] = "images"
    metric: ClassVar[Metric] = ACCURACY


@dataclass(frozen=True)
class Language(Task):
    id: ClassVar[str] = "language"
    metric: ClassVar[Metric] = PERPLEXITY


@dataclass(frozen=True)
class Settings(Config):
    """With a code, a task and a rule for a layer."""

    code: Any = field(default_factory=Code)
    task: Any = field(default_factory=Task)
    per_layer: Any = field(default_factory=lambda: {"conv*": {"prune.rate": 0.5}})

    def for_layer(self, name: str) -> "Settings":
        rate = 0.5 if name.startswith("conv") else self.prune.rate
        return replace(self, prune=replace(self.prune, rate=rate))


def rival(code: str, mask_codec: str | None, **bits: int) -> dict[str, Any]:
    return {"code": code, "mask_codec": mask_codec, "code_bits": 0, "patch_bits": 0, "index_bits": 0} | bits


def rows_of(config: Config, *, code: str = "xor", columns: dict[str, Any] | None = None) -> list[dict]:
    """Of a point of two layers with two baselines each."""
    sizes = {"code_bits": 4_000, "patch_bits": 1_000, "index_bits": 2_000, "scale_bits": 32}
    layer = sizes | {"n_weights": 10_000, "n_kept": 1_000, "n_planes": 1, "code": code, "mask_codec": "ans"}
    layer["columns"] = XOR if columns is None else columns
    # The second was encoded when a file held every matrix.
    layers = {"conv1/kernel": layer | {"matrix_bits": 0}, "fc1/kernel": layer}
    baselines = [
        rival("signs", "csr5", code_bits=1_000, index_bits=5_000),
        rival("dense", None, code_bits=10_000),
    ]
    measured = {"validation_metric": 0.97, "test_metric": 0.96, "n_test": 500}
    summaries: dict[str, dict[str, Any]] = {
        "dense": measured | {"test_metric": 0.99, "validation_metric": 0.98},
        "reference": measured | {"test_metric": 0.995, "validation_metric": 0.985},
        "quantize": measured | {"flipped_signs": {"fc1/kernel": 0.01}},
        "baselines": {"layers": dict.fromkeys(layers, baselines)},
        "encode": {"layers": layers, "file_bytes": 1234, "n_parameters": 5000},
        "evaluate": {"test_metric": 0.96, "n_test": 500, "logit_difference": 0.0},
    }
    plan = plan_of(config)
    artifacts = {
        stage.name: Artifact(Path(), summaries[stage.kind], {}, None, "abc", 2.0, "") for stage in plan.stages
    }
    rows = point_rows(plan, "run it", artifacts)
    for row in rows:
        check_row(row)
    return rows


def plan_of(config: Config) -> Plan:
    dense, reference, *others = (Stage(kind, f"{kind}-a", 3) for kind in KINDS)
    return Plan(config, dense, (), reference, (), None, *others)


def test_a_layer_has_a_row_of_its_own_and_one_of_each_baseline():
    rows = rows_of(Settings())
    told = [(row["layer"], row["baseline"], row["code"], row["mask_codec"]) for row in rows]
    layer = [(False, "xor", "ans"), (True, "signs", "csr5"), (True, "dense", None)]
    assert told == [(name, *each) for name in ("conv1", "fc1") for each in layer]
    own, signs, dense = rows[3:]
    assert own["bits_per_weight"] == pytest.approx(0.7032)
    assert own["patches_per_slice"] == 2.5
    assert (rows[0]["matrix_bits"], own["matrix_bits"]) == (0, pytest.approx(0.6))
    assert own["file_bits_per_parameter"] == pytest.approx(8 * 1234 / 5000)
    assert (own["n_out"], own["fill"], own["slicing"], own["flipped_signs"]) == (
        300,
        0.8,
        "interleaved",
        0.01,
    )
    assert signs["bits_per_weight"] == pytest.approx(0.6032)
    assert (signs["method"], signs["n_in"], signs["test_metric"], signs["lossless"]) == (
        None,
        None,
        0.96,
        True,
    )
    assert {(row["reference_metric"], row["dense_metric"]) for row in rows} == {(0.995, 0.99)}
    assert {(row["epochs"], row["dense_epochs"]) for row in rows} == {(6, 3)}
    # Nobody trained the network whose signs are stored without a mask.
    assert (dense["test_metric"], dense["lossless"], dense["quantized_metric"]) == (None, None, 0.96)


def test_the_prune_rate_is_the_layers_own_and_the_config_says_the_rules():
    rows = rows_of(Settings())
    assert [row["prune_rate"] for row in rows] == [0.5] * 3 + [Settings().prune.rate] * 3
    config = nested(Settings())
    assert config["code"] == {"id": "xor", "n_in": 20, "fill": 0.8}
    assert config["task"] == {"id": "images"}
    assert json.loads(config["per_layer"]) == {"conv*": {"prune.rate": 0.5}}


def test_a_code_that_says_nothing_of_itself_has_no_columns_of_the_xor_code():
    own = rows_of(Settings(), code="new", columns={"depth": 3})[0]
    assert own["code"] == "new"
    assert {own[name] for name in ("n_in", "n_out", "method", "patches_per_slice", "matrix_bits")} == {None}


def test_accuracies_are_repeated_in_their_columns_and_nothing_else_is():
    for row in rows_of(Settings()):
        assert all(row[accuracy_column(name)] == row[name] for name in METRICS)
    for row in rows_of(Settings(task=Language())):
        assert {row[accuracy_column(name)] for name in METRICS} == {None}
        assert (row["metric"], row["higher_is_better"], row["metric_tolerance"]) == ("perplexity", False, 0.5)


def test_a_failed_point_says_what_is_known_of_it():
    row = failed_row(plan_of(Settings()), "run it", "broken")
    check_row(row)
    assert (row["code"], row["baseline"], row["metric"], row["error"]) == ("xor", False, "accuracy", "broken")


def test_a_metric_of_no_task_is_a_plain_number():
    assert metric_called("never heard of").text(1.25) == "1.25"
