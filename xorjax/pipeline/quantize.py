"""Stage 3: fine-tune the pruned layers to binary code with straight-through gradients."""

from dataclasses import dataclass, fields

import jax
import jax.numpy as jnp
import numpy as np

from xorjax import paths
from xorjax.artifacts.artifact import Artifact, save_arrays
from xorjax.models import merge
from xorjax.params import Masks, Params
from xorjax.pipeline.arrays import group, join
from xorjax.pipeline.build import Build
from xorjax.pipeline.inputs import dataset
from xorjax.pipeline.prune import load_upstream, training_task
from xorjax.quantize.binary import BinaryCode
from xorjax.train.loop import train
from xorjax.train.predict import accuracy, predict

TEST_LOGITS = "test_logits"


@dataclass(frozen=True)
class Quantized:
    """A quantized model: float parameters, and for each quantized one its mask, bit planes and scales."""

    params: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    planes: dict[str, np.ndarray]
    scales: dict[str, np.ndarray]

    @classmethod
    def load(cls, artifact: Artifact) -> "Quantized":
        arrays = artifact.arrays()
        return cls(*(group(arrays, field.name) for field in fields(cls)))

    def weights(self) -> dict[str, np.ndarray]:
        """All parameters as floats: a quantized one is its mask times the sum of scales times signs."""
        return self.params | {
            path: self.masks[path] * (self.scales[path] * (2 * planes.astype(np.float32) - 1)).sum(0)
            for path, planes in self.planes.items()
        }


def quantize(build: Build) -> dict:
    """The quantized model and its logits for the test split: what every decoded model must equal."""
    config = build.config
    inputs, params, masks = load_upstream(build)
    code = BinaryCode.from_config(config.quantize)
    task = training_task(config, inputs, code, "quantize.optim")
    result = train(task, params, masks, inputs.train, inputs.validation, build.work, on_epoch=build.on_epoch)
    model = _encode(code, result.params, masks)
    weights = jax.tree.map(jnp.asarray, model.weights())
    test = dataset(config.data).test
    logits = predict(merge(task.graphdef, weights), test.inputs)
    save_arrays(build.work / paths.ARRAYS, join(**vars(model)) | {TEST_LOGITS: logits})
    return {
        "best_epoch": result.best_epoch,
        "validation_accuracy": result.validation_accuracy,
        "test_accuracy": accuracy(logits, test.labels),
        "flipped_signs": _flipped(_encode(code, params, masks), model),
    }


def _flipped(before: Quantized, after: Quantized) -> dict[str, float]:
    """The share of each layer's kept signs, of all its planes, that training changed."""
    shares = {}
    for path, mask in after.masks.items():
        kept = np.broadcast_to(mask, after.planes[path].shape)
        shares[path] = (
            float(np.mean((before.planes[path] != after.planes[path])[kept])) if kept.any() else 0.0
        )
    return shares


def _encode(code: BinaryCode, params: Params, masks: Masks) -> Quantized:
    kept = {path: mask for path, mask in masks.items() if mask is not None}
    coded = {path: code.encode(params[path], mask) for path, mask in kept.items()}
    return Quantized(
        {path: np.asarray(value) for path, value in params.items() if path not in kept},
        {path: np.asarray(mask) for path, mask in kept.items()},
        {path: np.asarray(planes) for path, (planes, _) in coded.items()},
        {path: np.asarray(scales) for path, (_, scales) in coded.items()},
    )
