"""How few bits the signs of the kept weights take, under two models of them: what codes are compared with.

An entropy belongs to a model. Under its own, no code is shorter on the average; one that knows more may be.
"""

import numpy as np

from xorjax.codec.code import Mask, Planes
from xorjax.codec.context_signs import LAG_BITS, Layer, find_lags
from xorjax.masks.ans import PRECISION


def sign_entropy(planes: Planes, mask: Mask | None) -> float:
    """Bits a weight, pruned ones included, where each kept sign is plus with its plane's share of pluses."""
    kept = planes.reshape(len(planes), -1) if mask is None else planes[:, mask]
    ones = kept.sum(axis=1)
    counts = np.stack([ones, kept.shape[1] - ones]).astype(np.float64)
    return float(_bits(counts, counts / max(kept.shape[1], 1)) / planes[0].size)


def context_entropy(planes: Planes, mask: Mask | None) -> float:
    """Bits a weight, pruned ones included, under the model of the code `context_signs`, its distances included.

    It is the sum of -lg of the probability that each sign had when those before it were known: the code's own length
    without what its coder adds, a word or so.
    """
    layer, n_bits = Layer.of(planes.shape[1:], mask), 0.0
    for plane in planes.reshape(len(planes), -1):
        signs = layer.signs(plane)
        lags = find_lags(signs.reshape(layer.shape))
        plus = layer.shares(signs, lags) / (1 << PRECISION)
        right = np.where(signs[layer.places] > 0, plus, 1 - plus)
        n_bits += LAG_BITS * len(lags) - float(np.log2(right).sum())
    return n_bits / planes[0].size


def _bits(counts: np.ndarray, probabilities: np.ndarray) -> float:
    seen = counts > 0
    return float(-(counts[seen] * np.log2(probabilities[seen])).sum())
