"""Beside stage 4: the same quantized layers in the codes that a point's own is compared with, counted the same way."""

import numpy as np

from xorjax.codec import CODES, Code
from xorjax.codec.bounds import context_entropy, sign_entropy
from xorjax.container import CompressedLayer, CompressedModel
from xorjax.container.model import decode_planes
from xorjax.container.write import file_bytes
from xorjax.masks import encode_mask
from xorjax.pipeline.build import Build
from xorjax.pipeline.evaluate_file import metadata_of
from xorjax.pipeline.lossless import LosslessError
from xorjax.pipeline.quantize import Quantized

READS = ("data.name", "model", "task")
NEEDS = ("quantize",)


def baselines(build: Build) -> dict:
    """For each layer the bits of its streams in each code and in each mask codec that the code names, and the bytes of
    the file with all layers so; and its signs' entropies, in bits a weight.
    """
    model, metadata = Quantized.load(build.upstream(build.plan.quantize)), metadata_of(build.config)
    rivals: dict[str, list[dict]] = {path: [] for path in model.planes}
    for code in CODES.values():
        for codec in code.beside:
            layers = {path: _coded(model, path, code(), codec) for path in model.planes}
            whole = {"file_bytes": file_bytes(CompressedModel(layers, model.uncoded, metadata))}
            for path, layer in layers.items():
                index_bits = 0 if layer.index is None else sum(layer.index.nbits.values())
                bits = layer.values.bits | {"index_bits": index_bits}
                rivals[path].append({"code": code.id, "mask_codec": codec} | bits | whole)
    return {
        "layers": rivals,
        "entropies": {
            path: {
                "sign_entropy": sign_entropy(planes, model.masks[path]),
                "context_entropy": context_entropy(planes, model.masks[path]),
            }
            for path, planes in model.planes.items()
        },
    }


def _coded(model: Quantized, path: str, code: Code, codec: str | None) -> CompressedLayer:
    """The layer, once its streams have been seen to decode to it."""
    planes, mask = model.planes[path], model.masks[path]
    index = None if codec is None else encode_mask(mask, codec)
    if index is not None and not np.array_equal(index.mask, mask):
        raise LosslessError(f"{path}: mask codec {codec!r} does not give back the mask")
    values = code.encode(planes, None if index is None else mask)
    layer = CompressedLayer(path, values, index, model.scales[path])
    if not np.array_equal(decode_planes(layer)[:, mask], planes[:, mask]):
        raise LosslessError(f"{path}: code {code.id!r} does not give back the signs of the kept weights")
    return layer
