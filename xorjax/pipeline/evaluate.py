"""Stage 5: run the model from its code words on the test split and hold it to the quantized model."""

from xorjax import paths
from xorjax.container import load
from xorjax.models.compressed import decoding_model
from xorjax.pipeline.build import Build
from xorjax.pipeline.inputs import dataset
from xorjax.pipeline.lossless import check_logits, check_planes
from xorjax.pipeline.quantize import TEST_LOGITS, Quantized
from xorjax.train.predict import accuracy, predict

READS = ("data", "model", "task")


def evaluate(build: Build) -> dict:
    """The accuracy of the model that decodes in its forward pass; fails if it is not the quantized model."""
    plan, config = build.plan, build.config
    quantized = build.upstream(plan.quantize)
    compressed = load(build.upstream(plan.encode).path(paths.COMPRESSED))
    check_planes(compressed, Quantized.load(quantized))
    test = dataset(config.data).test
    logits = predict(decoding_model(config.model.name, compressed), test.inputs)
    return {
        "logit_difference": check_logits(logits, quantized.arrays()[TEST_LOGITS]),
        "test_accuracy": accuracy(logits, test.labels),
        "n_test": test.size,
    }
