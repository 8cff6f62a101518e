"""Stage 5: run the model from its code words on the test split and hold it to the quantized model."""

from xorjax import paths
from xorjax.container import ContainerError, load
from xorjax.models.compressed import FileModelError, coded_model
from xorjax.pipeline.build import Build
from xorjax.pipeline.lossless import LosslessError, check_logits, check_planes
from xorjax.pipeline.quantize import TEST_LOGITS, Quantized
from xorjax.pipeline.training import dataset
from xorjax.train.predict import predict, score

READS = ("data", "model", "task")
NEEDS = ("quantize", "encode")


def evaluate(build: Build) -> dict:
    """The metric of the model that decodes in its forward pass; fails if it is not the quantized model."""
    plan, config = build.plan, build.config
    quantized = build.upstream(plan.quantize)
    # `path` has checked the file's checksum.
    file = build.upstream(plan.encode).path(paths.COMPRESSED)
    task, test = config.task, dataset(config.task, config.data).test
    try:
        compressed = load(file)
        model = coded_model(config.model.name, compressed, task.datasets[config.data.name], as_code=True)
    except (ContainerError, FileModelError) as error:
        raise LosslessError(f"the file that encode wrote is refused: {error}") from error
    check_planes(compressed, Quantized.load(quantized))
    # Sums of look-ups are rounded in another order than the products that were trained with.
    logits = predict(task, model, test, decode=True)
    return {
        "logit_difference": check_logits(task, logits, quantized.arrays()[TEST_LOGITS]),
        "test_metric": score(task, logits, test),
        "n_test": test.size,
    }
