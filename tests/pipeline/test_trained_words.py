"""Code words learned in each way, from the dense network to the file: whole, equal and what was asked for."""

import polars as pl
import pytest
from command import command, end

from xorjax import load, paths
from xorjax.container import layer_bits


@pytest.mark.slow
def test_every_way_ends_in_a_file_of_the_same_rate(tmp_path):
    how = ("+experiment=lenet_trained", "+debug=quick", "code.n_out=40", "seed=0")
    assert end(command(tmp_path, *how, "quantize.words=search,latent,soft")) == 0
    report = paths.report_dir(tmp_path, "debug")
    rows = pl.read_parquet(report / "results.parquet").filter(~pl.col("baseline"))
    assert rows.height == 3
    assert rows["lossless"].all()
    assert rows["code_bits"].to_list() == [0.2] * 3
    # One epoch on 2,000 digits: what guesses is at 10 %.
    assert rows["test_accuracy"].min() > 0.5
    assert len(list(tmp_path.glob("train_code/*/artifact.json"))) == 3
    (model,) = paths.best_models(report)
    (layer,) = load(model).layers.values()
    assert layer_bits(layer)["code_bits"] == 0.2 * layer.n_weights
