"""Coded weights for the tests of what holds and multiplies them."""

import numpy as np

from xorjax.codec import CODES
from xorjax.codec.trained import TrainedCode
from xorjax.codec.xor import XorCode
from xorjax.decoding.planes import DECODERS
from xorjax.masks import encode_mask
from xorjax.weights import CodedWeight

SHAPE = (40, 24)
CODE = XorCode(n_in=9, n_out=40)


def parts(shape=SHAPE, n_planes=2, rate=0.3, dtype=np.float32, seed=0, code=CODE):
    """Planes that the code holds, mask and a scale for each output."""
    rng = np.random.default_rng(seed)
    planes, mask = rng.random((n_planes, *shape)) < 0.5, rng.random(shape) < rate
    scales = rng.uniform(0.5, 2, (n_planes, *(1,) * (len(shape) - 1), shape[-1])) / 4 ** np.arange(
        n_planes
    ).reshape(-1, *(1,) * len(shape))
    held = np.stack([code.project(plane) for plane in np.where(planes, np.float32(1), np.float32(-1))])
    return held, mask, scales.astype(dtype)


def coded(planes, mask, scales, code=CODE, codec="bitmap"):
    index = None if mask is None else encode_mask(mask, codec)
    return CodedWeight.of(code.encode(planes, mask), index, scales)


def weight(shape=SHAPE, code=CODE, **settings):
    return coded(*parts(shape, code=code, **settings), code=code)


def looked_up(shape=SHAPE, **settings):
    """A weight whose products of 16 examples and fewer are sums of look-ups."""
    code = TrainedCode(4, 32)
    planes, _, scales = parts(shape, code=code, **settings)
    w = coded(planes, None, scales, code)
    assert DECODERS["trained"].pays((16, shape[0]), w.planes, w.mask, w.scales)
    return w


def quantized(planes, mask, scales):
    """The weight by its definition, summed plane by plane in float32."""
    total = np.zeros(planes.shape[1:], np.float32)
    for plane, scale in zip(planes, scales.astype(np.float32), strict=True):
        total += np.where(plane, scale, -scale)
    return (total if mask is None else np.where(mask, total, np.float32(0))).astype(scales.dtype)


ALL_CODES = [CODE if id == "xor" else CODES[id]() for id in CODES]
