"""A recurrent model and one that attends, through all stages, from dense training to the file, judged by perplexity."""

from dataclasses import replace

import numpy as np
import pytest
from language_models import TinyLSTM, TinyTransformer
from tiny_sweep import ONE_EPOCH, ROOT, tiny

from xorjax import load, paths
from xorjax.artifacts.artifact import find
from xorjax.artifacts.run import Made, run_stage
from xorjax.config.schema import DataConfig, ModelConfig, QuantizeConfig
from xorjax.models.registry import MODELS, create_model
from xorjax.pipeline.evaluate_file import evaluate_model
from xorjax.pipeline.plan import make_plan
from xorjax.pipeline.quantize import TEST_LOGITS
from xorjax.pipeline.stage import nodes
from xorjax.tasks.language import LanguageTask

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[TinyLSTM, TinyTransformer], ids=lambda model: model.id)
def model(request):
    return request.param


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """The artifacts of one point by kind; every layer has two planes, embeddings scales for each word."""
    tmp = tmp_path_factory.mktemp("language")
    len(MODELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS._entries, model.id, model)
        base = tiny(tmp)
        once = replace(ONE_EPOCH, batch_size=20, label_smoothing=0.0, learning_rate=1e-2, distill=0.0)
        config = replace(
            base,
            model=ModelConfig(model.id),
            task=LanguageTask(),
            data=DataConfig("brown", str(ROOT / "data"), str(ROOT / ".cache"), 20_000, 3000),
            freeze=(),
            optim=once,
            prune=replace(base.prune, layers=("*",), rate=0.6, through=(), optim=once),
            quantize=QuantizeConfig(n_planes=2, scale="channel", optim=replace(once, distill=0.5)),
            per_layer=(("embed", (("quantize.scale", "row"),)),),
        )
        plan = make_plan(config)
        for node in nodes(plan):
            outcome = run_stage(tmp / "runs", node)
            assert isinstance(outcome, Made), outcome
        yield {stage.kind: find(tmp / "runs", stage) for stage in plan.stages}


def test_the_file_says_what_the_stages_measured(model, made):
    file = load(made["encode"].path(paths.COMPRESSED))
    network, params, _ = create_model(model.id, 0, {"n_classes": 10})
    assert file.layers.keys() == {path for path in params if path.endswith("/kernel")}
    # Nothing that is remembered is in a file.
    assert file.params.keys() == params.keys() - file.layers.keys()
    assert network.memory(1).keys().isdisjoint(file.params)
    measured = evaluate_model(file, str(ROOT / "data"), str(ROOT / ".cache"))
    assert (measured["metric"]["name"], measured["n_test"]) == ("perplexity", 8507)
    assert measured["test_metric"] == pytest.approx(made["evaluate"].summary["test_metric"], rel=1e-5)
    assert made["evaluate"].summary["test_metric"] == made["quantize"].summary["test_metric"]
    assert made["evaluate"].summary["logit_difference"] < 1e-4
    assert made["dense"].summary["test_metric"] < 1000


def test_of_the_outputs_little_is_kept(made):
    kept = made["quantize"].arrays()[TEST_LOGITS]
    assert kept.shape[2] == 3
    assert np.isfinite(kept).all()
