"""A finished sweep says of its points what NumPy alone finds in their files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from by_hand import accuracy, decoded, interval, safetensors
from tiny_sweep import ROOT, run_sweep, tiny

from xorjax import paths
from xorjax.codec.signs import SignsCode
from xorjax.config.schema import MaskConfig
from xorjax.pipeline.plan import make_plan
from xorjax.results.collect import read_experiment, tabulate
from xorjax.results.tables import summarise

N_TEST = 500


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """Three seeds of one setting, in the simplest of codes."""
    tmp = tmp_path_factory.mktemp("by_hand")
    base = tiny(tmp, code=SignsCode(), mask=MaskConfig("bitmap"))
    configs = [replace(base, seed=seed) for seed in range(3)]
    run_sweep(configs)
    return configs


def test_bits_accuracy_and_interval_are_what_numpy_finds(configs):
    runs = Path(configs[0].paths.runs)
    # All that there are hold the same images.
    cache, *_ = (ROOT / ".cache").glob("mnist-*/test_images.npy")
    images = np.load(cache)[:N_TEST]
    labels = np.load(cache.with_name("test_labels.npy"))[:N_TEST]
    report = paths.report_dir(runs, "tiny")
    table = pl.read_parquet(report / "results.parquet").filter(~pl.col("baseline"))
    losses = []
    for config in configs:
        row = table.row(by_predicate=pl.col("seed") == config.seed, named=True)
        plan = make_plan(config)
        file = paths.artifact_dir(runs, "encode", plan.encode.name) / paths.COMPRESSED
        params, bits = decoded(file, "fc1/kernel", (800, 500))
        assert bits == pytest.approx(row["bits_per_weight"], rel=1e-12)
        test = accuracy(params, images, labels)
        assert test == pytest.approx(row["test_accuracy"], abs=1e-9)
        arrays = safetensors(paths.artifact_dir(runs, "reference", plan.reference.name) / paths.ARRAYS)
        kept = {name.removeprefix("params/"): value for name, value in arrays.items()}
        reference = accuracy(kept, images, labels)
        assert reference == pytest.approx(row["reference_accuracy"], abs=1e-9)
        losses.append(reference - test)
    assert len(set(losses)) > 1
    mean, half = interval(losses)
    (best,) = summarise(tabulate(read_experiment(report)))
    assert best.loss.value == pytest.approx(mean, abs=1e-9)
    assert best.loss.half_width == pytest.approx(half, rel=1e-3)
