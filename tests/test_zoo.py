"""The files of zoo/ are what its table says."""

import os
import re
from pathlib import Path

import pytest

from xorjax import load
from xorjax.container import layer_bits, verify
from xorjax.container.format import VERSION
from xorjax.container.parts import file_parts
from xorjax.container.tensors import from_bytes
from xorjax.metric import Metric
from xorjax.pipeline.evaluate_file import evaluate_model

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "zoo"
DATA = Path(os.environ.get("XORJAX_DATA", ROOT / "data"))
ROW = re.compile(
    r"^\| `(?P<file>\S+)` \| (?P<bits>[\d.]+) \| (?P<kb>[\d.]+) kB \| (?P<whole>[\d.]+) \| (?P<test>[^|]+) \|",
    re.M,
)
TABLE = {row["file"]: row for row in ROW.finditer((ZOO / "README.md").read_text())}


def test_the_table_names_every_file():
    assert sorted(TABLE) == sorted(file.name for file in ZOO.glob("*.safetensors"))
    assert len(TABLE) >= 7


@pytest.mark.parametrize("name", TABLE)
def test_a_file_is_whole_small_and_as_large_as_said(name):
    file = ZOO / name
    assert verify(file)
    model = load(file)
    n_bits = sum(sum(layer_bits(layer).values()) for layer in model.layers.values())
    n_weights = sum(layer.n_weights for layer in model.layers.values())
    assert f"{n_bits / n_weights:.4f}" == TABLE[name]["bits"]
    assert f"{file.stat().st_size / 1000:.3g}" == TABLE[name]["kb"]
    assert f"{8 * file.stat().st_size / model.n_parameters:.3f}" == TABLE[name]["whole"]
    assert file_parts(file)["shared"] == 0
    assert file.stat().st_size <= (2_000_000 if model.metadata.get("task") == "language" else 1_000_000)
    assert from_bytes(file.read_bytes())[1]["format_version"] == str(VERSION)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_a_file_predicts_as_well_as_said(name, tmp_path):
    model = load(ZOO / name)
    if not (DATA / (data := model.metadata["dataset"])).exists():
        pytest.skip(f"no {data} in {DATA}: python scripts/get_data.py {data}, or XORJAX_DATA")
    measured = evaluate_model(model, str(DATA), str(tmp_path))
    metric = Metric(**measured["metric"])
    said = metric.text(measured["test_metric"]) + ("" if metric.unit else f" {metric.name}")
    assert said == TABLE[name]["test"]
    assert measured["n_test"] == {"images": 10_000, "language": 82_430}[measured["task"]]
