"""Beside stage 4: the same quantized layers through every baseline codec, counted the same way."""

import numpy as np

from xorjax.codec import BASELINES, LayerCodec, stream_bits
from xorjax.pipeline.build import Build
from xorjax.pipeline.lossless import LosslessError
from xorjax.pipeline.quantize import Quantized

READS = ()


def baselines(build: Build) -> dict:
    """For each layer and codec the bits of its streams."""
    model = Quantized.load(build.upstream(build.plan.quantize))
    return {
        "layers": {
            path: {name: _count(codec, path, planes, model.masks[path]) for name, codec in BASELINES.items()}
            for path, planes in model.planes.items()
        }
    }


def _count(codec: LayerCodec, path: str, planes: np.ndarray, mask: np.ndarray) -> dict[str, int]:
    """Bits of the streams, once they have been seen to decode to the layer."""
    streams = codec.encode(planes, mask)
    decoded_planes, decoded_mask = codec.decode(streams, len(planes), mask.shape)
    if not np.array_equal(decoded_planes[:, mask], planes[:, mask]):
        raise LosslessError(f"{path}: codec {codec.id!r} does not give back the signs of the kept weights")
    if codec.id != "dense" and not np.array_equal(decoded_mask, mask):
        raise LosslessError(f"{path}: codec {codec.id!r} does not give back the mask")
    return stream_bits(streams)
