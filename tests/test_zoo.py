"""The files of zoo/ are what its table says."""

import re
from pathlib import Path

import pytest

from xorjax import load
from xorjax.container import layer_bits, verify
from xorjax.container.parts import file_parts
from xorjax.pipeline.evaluate_file import evaluate_model

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "zoo"
ROW = re.compile(
    r"^\| `(?P<file>\S+)` \| (?P<bits>[\d.]+) \| (?P<kb>\d+) kB \| (?P<whole>[\d.]+) \| (?P<accuracy>[\d.]+) % \|",
    re.M,
)
TABLE = {row["file"]: row for row in ROW.finditer((ZOO / "README.md").read_text())}


def test_the_table_names_every_file():
    assert sorted(TABLE) == sorted(file.name for file in ZOO.glob("*.safetensors"))
    assert len(TABLE) >= 5


@pytest.mark.parametrize("name", TABLE)
def test_a_file_is_whole_small_and_as_large_as_said(name):
    file = ZOO / name
    assert verify(file)
    model = load(file)
    (layer,) = model.layers.values()
    assert f"{sum(layer_bits(layer).values()) / layer.n_weights:.4f}" == TABLE[name]["bits"]
    assert round(file.stat().st_size / 1000) == int(TABLE[name]["kb"])
    assert f"{8 * file.stat().st_size / model.n_parameters:.3f}" == TABLE[name]["whole"]
    assert file_parts(file)["shared"] == 0
    assert file.stat().st_size <= 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_a_file_is_as_accurate_as_said(name, tmp_path):
    measured = evaluate_model(load(ZOO / name), str(ROOT / "data"), str(tmp_path))
    assert f"{measured['test_accuracy']:.2%}" == f"{TABLE[name]['accuracy']}%"
    assert measured["n_test"] == 10_000
