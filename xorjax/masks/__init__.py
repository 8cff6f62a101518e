"""Mask codecs: how the positions of the kept weights are stored. One codec a file, in one registry.

An exact codec stores the mask that it is given (`encode_mask`); an approximate one stores a mask that it can
express and that keeps the most score (`fit_mask`), and the network is trained under that mask.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from xorjax.masks.base import MASK_CODECS, ApproximateCodec, EncodedMask, ExactCodec, MaskCodec, Streams

__all__ = [
    "APPROXIMATE_CODECS",
    "EXACT_CODECS",
    "MASK_CODECS",
    "ApproximateCodec",
    "EncodedMask",
    "ExactCodec",
    "MaskCodec",
    "Streams",
    "encode_mask",
    "fit_mask",
]

EXACT_CODECS: dict[str, ExactCodec] = {
    id: codec for id, codec in MASK_CODECS.items() if isinstance(codec, ExactCodec)
}
APPROXIMATE_CODECS: dict[str, ApproximateCodec] = {
    id: codec for id, codec in MASK_CODECS.items() if isinstance(codec, ApproximateCodec)
}


def encode_mask(mask: Bool[np.ndarray, "*shape"], codec: str = "ans_rc") -> EncodedMask:
    """`mask` in an exact codec.

    Raises:
        ValueError: the codec is unknown, or approximate: `fit_mask` is for those.
    """
    exact = MASK_CODECS.find(codec)
    if not isinstance(exact, ExactCodec):
        raise ValueError(
            f"mask codec {codec!r} is approximate and cannot store a given mask: use fit_mask, or one of "
            f"{', '.join(EXACT_CODECS)}"
        )
    return EncodedMask(codec, mask.shape, exact.encode(mask))


def fit_mask(
    scores: Float32[np.ndarray, "*shape"], prune_rate: float, codec: str, **settings: Any
) -> EncodedMask:
    """The mask of about this prune rate that an approximate codec can store and that keeps the most score.

    Scores are the weights' worth, such as their magnitudes; the settings are the codec's.

    Raises:
        ValueError: the codec is unknown or exact, the prune rate is outside [0, 1), there is no score, or one
            is negative or not finite.
    """
    approximate = MASK_CODECS.find(codec)
    if not isinstance(approximate, ApproximateCodec):
        raise ValueError(
            f"mask codec {codec!r} is exact and stores the mask it is given: use encode_mask, or one of "
            f"{', '.join(APPROXIMATE_CODECS)}"
        )
    if not 0 <= prune_rate < 1:
        raise ValueError(f"prune_rate is {prune_rate}, expected 0 <= prune_rate < 1")
    if not scores.size:
        raise ValueError(f"scores of shape {scores.shape} have no weight to keep")
    if not (np.isfinite(scores).all() and (scores >= 0).all()):
        raise ValueError("scores must be finite and 0 or more, such as magnitudes of weights")
    streams = approximate.fit(scores, prune_rate, approximate.settings(**settings))
    index = EncodedMask(codec, scores.shape, streams)
    if not index.mask.any():
        raise ValueError(
            f"mask codec {codec!r} found no mask at prune_rate {prune_rate}: the scores may be equal, or all 0"
        )
    return index
