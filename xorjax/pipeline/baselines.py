"""Beside stage 4: the same quantized layers in the codes that a point's own is compared with, counted the same way."""

from collections.abc import Iterator

import numpy as np

from xorjax.codec import CODES
from xorjax.codec.bounds import context_entropy, sign_entropy
from xorjax.masks import encode_mask
from xorjax.pipeline.build import Build
from xorjax.pipeline.lossless import LosslessError
from xorjax.pipeline.quantize import Quantized

READS = ()
NEEDS = ("quantize",)


def baselines(build: Build) -> dict:
    """For each layer the bits of its streams in each code and in each mask codec that the code names; and its signs'
    entropies, in bits a weight.
    """
    model = Quantized.load(build.upstream(build.plan.quantize))
    layers = {path: (planes, model.masks[path]) for path, planes in model.planes.items()}
    return {
        "layers": {path: list(_rivals(path, *layer)) for path, layer in layers.items()},
        "entropies": {
            path: {"sign_entropy": sign_entropy(*layer), "context_entropy": context_entropy(*layer)}
            for path, layer in layers.items()
        },
    }


def _rivals(path: str, planes: np.ndarray, mask: np.ndarray) -> Iterator[dict]:
    """The bits, once the streams have been seen to decode to the layer."""
    for id, code in CODES.items():
        for codec in code.beside:
            index = None if codec is None else encode_mask(mask, codec)
            kept = None if index is None else mask
            if index is not None and not np.array_equal(index.mask, mask):
                raise LosslessError(f"{path}: mask codec {codec!r} does not give back the mask")
            encoded = code().encode(planes, kept)
            if not np.array_equal(encoded.code.decode(encoded, kept)[:, mask], planes[:, mask]):
                raise LosslessError(f"{path}: code {id!r} does not give back the signs of the kept weights")
            index_bits = 0 if index is None else sum(index.nbits.values())
            yield {"code": id, "mask_codec": codec, **encoded.bits, "index_bits": index_bits}
