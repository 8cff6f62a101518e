"""The smallest ResNet through all stages: two planes, masks by XOR networks, a trained code."""

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from command import ROOT, command, end

from xorjax import load, paths
from xorjax.pipeline.evaluate_file import evaluate_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs")
    process = command(directory, "+experiment=resnet_smoke")
    assert end(process) == 0
    return directory


@pytest.fixture(scope="module")
def results(runs):
    """The rows of the points' own codes."""
    table = pl.read_parquet(paths.report_dir(runs, "resnet_smoke") / "results.parquet")
    return table.filter(~pl.col("baseline"))


def test_every_point_is_lossless(results):
    assert results["lossless"].to_list() == [True] * len(results)
    assert set(results["code"]) == {"xor", "trained"}
    assert set(results["layer"]) >= {"group1/block0/conv1", "group3/block0/conv2"}
    assert not set(results["layer"]) & {"stem/conv", "head"}


def test_files_have_the_statistics_of_the_epoch_that_was_kept(runs):
    files = sorted(runs.glob("encode/*/*.safetensors"))
    stages = [path for kind in ("quantize", "train_code") for path in runs.glob(f"{kind}/*")]
    quantized = [safetensors.numpy.load_file(path / paths.ARRAYS) for path in stages]
    assert len(files) == len(quantized) == 3
    for file in files:
        held = load(file).params["stem/norm/mean"]
        assert any(np.array_equal(held, arrays["state/stem/norm/mean"]) for arrays in quantized)
        # The first 200 images of the test split were measured; here all are.
        measured = evaluate_model(load(file), str(ROOT / "data"), str(ROOT / ".cache"))
        assert measured["model"] == "resnet8"
        assert measured["test_metric"] > 0.2
