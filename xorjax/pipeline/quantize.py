"""Stage 3: fine-tune the pruned layers to binary code with straight-through gradients."""

from dataclasses import dataclass, fields
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from xorjax import paths
from xorjax.models import create_model, merge
from xorjax.params import Masks, Params
from xorjax.pipeline.arrays import group, join, load_masks, load_params
from xorjax.pipeline.artifact import Artifact, make, save_arrays
from xorjax.pipeline.inputs import dataset, training_inputs
from xorjax.pipeline.plan import Plan, frozen_layers
from xorjax.pipeline.progress import Progress
from xorjax.prune.masks import full_masks
from xorjax.quantize.binary import BinaryCode
from xorjax.train.loop import Task, train
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


def quantize(plan: Plan, dense: Artifact, pruned: Artifact, runs: Path, progress: Progress) -> Artifact:
    """The quantized model and its logits for the test split: what every decoded model must equal."""
    config = plan.config

    def build(work: Path) -> dict:
        inputs = training_inputs(config, dense)
        params = load_params(pruned)
        masks = load_masks(pruned, params) if pruned is not dense else full_masks(params, config.prune.layers)
        code = BinaryCode.from_config(config.quantize)
        graphdef, _ = create_model(config.model.name, config.seed)
        task = Task(graphdef, code, config.quantize.optim, config.seed, inputs.start, frozen_layers(config))
        result = train(task, params, masks, inputs.train, inputs.validation, work, on_epoch=progress.epoch)
        model = _encode(code, result.params, masks)
        weights = jax.tree.map(jnp.asarray, model.weights())
        test = dataset(config.data).test
        logits = predict(merge(graphdef, weights), test.inputs)
        save_arrays(work / paths.ARRAYS, join(**vars(model)) | {TEST_LOGITS: logits})
        return {
            "best_epoch": result.best_epoch,
            "validation_accuracy": result.validation_accuracy,
            "test_accuracy": accuracy(logits, test.labels),
        }

    with progress.stage(plan.quantize):
        return make(runs, plan.quantize, build)


def _encode(code: BinaryCode, params: Params, masks: Masks) -> Quantized:
    kept = {path: mask for path, mask in masks.items() if mask is not None}
    coded = {path: code.encode(params[path], mask) for path, mask in kept.items()}
    return Quantized(
        {path: np.asarray(value) for path, value in params.items() if path not in kept},
        {path: np.asarray(mask) for path, mask in kept.items()},
        {path: np.asarray(planes) for path, (planes, _) in coded.items()},
        {path: np.asarray(scales) for path, (_, scales) in coded.items()},
    )
