"""The check behind every result: what was decoded is what was quantized."""

import numpy as np

from xorjax.container import CompressedModel
from xorjax.decoding.planes import decode_planes
from xorjax.pipeline.quantize import Quantized
from xorjax.tasks.task import Task


class LosslessError(RuntimeError):
    """A decoded model is not the quantized one: a bug, never a setting's fault."""


def check_planes(compressed: CompressedModel, model: Quantized) -> None:
    """Decode every coded weight; compare mask, kept signs, scales and other parameters with the quantized model's.

    Raises:
        LosslessError: names the layer and what differs.
    """
    if compressed.layers.keys() != model.planes.keys():
        raise LosslessError(f"the file holds {sorted(compressed.layers)}, not {sorted(model.planes)}")
    for path, weight in compressed.weights_as_code.items():
        kept = weight.kept()
        mask = np.ones(weight.shape, np.bool_) if kept is None else np.asarray(kept)
        if not np.array_equal(mask, model.masks[path]):
            raise LosslessError(f"{path}: the mask in the file is not the quantized model's")
        if not np.array_equal(weight.scales, model.scales[path]):
            raise LosslessError(f"{path}: the scales in the file are not the quantized model's")
        planes = np.asarray(decode_planes(weight.planes, kept))
        for index, (decoded, plane) in enumerate(zip(planes, model.planes[path], strict=True)):
            wrong = int((decoded != plane)[mask].sum())
            if wrong:
                raise LosslessError(f"{path}: plane {index} decodes to {wrong} wrong signs of kept weights")
    for path, value in model.uncoded.items():
        if not np.array_equal(compressed.params[path], value):
            raise LosslessError(f"{path}: the parameter in the file is not the quantized model's")


def check_logits(task: Task, decoded: np.ndarray, quantized: np.ndarray) -> float:
    """The largest difference between the two models' logits, once every prediction has been seen to agree.

    Raises:
        LosslessError: says how many predictions differ.
    """
    if not np.isfinite(decoded).all():
        raise LosslessError("the decoding model's logits are not finite")
    differing = task.count_differing(decoded, quantized)
    if differing:
        raise LosslessError(
            f"{differing} test predictions of the decoding model differ from the quantized model's"
        )
    return float(np.abs(decoded - quantized).max())
