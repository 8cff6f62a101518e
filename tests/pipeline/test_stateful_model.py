"""A model with running statistics and dropout through all stages, from dense training to its file."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from flax import nnx
from tiny_sweep import ONE_EPOCH, ROOT, tiny

from xorjax import load, paths
from xorjax.artifacts.artifact import find
from xorjax.artifacts.run import Made, run_stage
from xorjax.config.schema import ModelConfig, QuantizeConfig
from xorjax.models.registry import MODELS
from xorjax.pipeline.evaluate_file import evaluate_model
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.quantize import Quantized
from xorjax.pipeline.stage import nodes
from xorjax.tasks.images import ImagesTask

pytestmark = pytest.mark.slow


class Residual(nnx.Module):
    """Strided and residual convolutions; no blocks."""

    id, task = "residual", "images"
    layers = ("stem", "inner", "head")

    def __init__(self, *, rngs: nnx.Rngs, n_classes: int):
        self.stem = nnx.Conv(1, 8, (5, 5), strides=4, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.8, rngs=rngs)
        self.inner = nnx.Conv(8, 8, (3, 3), use_bias=False, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)
        self.head = nnx.Linear(8 * 7 * 7, n_classes, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.stem(x)))
        x = x + nnx.relu(self.inner(x))
        return self.head(self.dropout(x.reshape(x.shape[0], -1)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The artifacts of one point by kind; layers have rates and planes of their own, and images are augmented."""
    tmp, len_before = tmp_path_factory.mktemp("residual"), len(MODELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS._entries, "residual", Residual)
        assert len(MODELS) == len_before + 1
        base = tiny(tmp)
        config = replace(
            base,
            model=ModelConfig("residual"),
            task=ImagesTask(augment="shift", max_shift=1),
            freeze=("stem",),
            prune=replace(base.prune, layers=("inner", "head"), through=()),
            quantize=QuantizeConfig(optim=ONE_EPOCH),
            per_layer=(("inner", (("prune.rate", 0.6), ("quantize.n_planes", 2))),),
        )
        plan = make_plan(config)
        for node in nodes(plan):
            outcome = run_stage(tmp / "runs", node)
            assert isinstance(outcome, Made), outcome
        yield {stage.kind: find(tmp / "runs", stage) for stage in plan.stages}


def test_statistics_go_on_moving_and_reach_the_file(made):
    means = [made[kind].arrays()["state/norm/mean"] for kind in ("dense", "prune", "quantize")]
    assert np.isfinite(means).all()
    assert all((one != other).any() for one, other in pairwise(means))
    file = load(made["encode"].path(paths.COMPRESSED))
    assert np.array_equal(file.params["norm/mean"], means[-1])
    assert file.layers.keys() == {"inner/kernel", "head/kernel"}


def test_frozen_layers_stay_without_features_of_a_prefix(made):
    kernels = [made[kind].arrays()["params/stem/kernel"] for kind in ("dense", "prune", "quantize")]
    assert all(np.array_equal(kernel, kernels[0]) for kernel in kernels)


def test_layers_have_their_own_rates_and_planes(made):
    model = Quantized.load(made["quantize"])
    assert {path: mask.mean().round(2) for path, mask in model.masks.items()} == {
        "inner/kernel": 0.4,
        "head/kernel": 0.2,
    }
    assert {path: len(planes) for path, planes in model.planes.items()} == {
        "inner/kernel": 2,
        "head/kernel": 1,
    }


def test_the_file_alone_says_how_good_it_is(made):
    file = load(made["encode"].path(paths.COMPRESSED))
    measured = evaluate_model(file, str(ROOT / "data"), str(ROOT / ".cache"))
    assert (measured["model"], measured["task"], measured["metric"]["name"]) == (
        "residual",
        "images",
        "accuracy",
    )
    assert measured["n_test"] == 10_000
    # The stage measured the first 500.
    assert abs(measured["test_metric"] - made["evaluate"].summary["test_metric"]) < 0.2
    assert made["evaluate"].summary["test_metric"] == made["quantize"].summary["test_metric"] > 0.3


def test_augmentation_names_artifacts_and_none_does_not(tmp_path: Path):
    config = tiny(tmp_path)
    augmented = replace(config, task=ImagesTask(augment="shift"))
    assert make_plan(config).dense.name == make_plan(replace(config, task=ImagesTask(max_shift=5))).dense.name
    assert make_plan(config).dense.name != make_plan(augmented).dense.name
